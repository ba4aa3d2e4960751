// The page: views over services over one worker. It computes no result; every number comes from the engine.
//
// - wire/engine.ts    the engine's calls and documents, made of its sources; roles.ts: what item sets are for
// - site.ts           the files beside the page: the catalogue, the bundled sets, the lesson
// - contents.ts       what tells one model's files from another's
// - version.ts        parts that are fetched when they are needed, and are gone once a newer version is there
// - worker/           the one worker: protocol, engine surface, the GPU, the hub, downloads, storage of models
// - services/         edited, history, made-of, results, harm, contrast: the study, its changes, and what of the results fits it, as pure
//                     functions; store: what the page holds, as study, results, engine and view, and what follows from that;
//                     and actions: engine client, jobs, messages, items, mask, study, links, session, boot
// - service-worker.ts what gives the page several cores on hosts that send no headers for it
// - views/            lit elements, one a file: app-shell holds the rail, the map, the step, the neuron's card; view.ts draws
//                     an element again when what it reads of the state is another
// - format.ts         numbers as people read them; verdicts.ts: what results mean, in a sentence
// - styles/           tokens, layout, parts, and a sheet for each larger part

import "./styles/tokens.css";
import "./styles/layout.css";
import "./styles/parts.css";
import "./styles/tables.css";
import "./styles/models.css";
import "./styles/map.css";
import "./styles/charts.css";
import "./styles/harm.css";
import "./styles/items.css";
import { boot } from "./services/boot";
import { openDropped } from "./services/documents";
import { reloadIsolated } from "./services/isolation";
import { report } from "./services/jobs";
import { installTheme } from "./services/theme";
import { keepFocus } from "./views/focus";
import "./views/accuracy-table";
import "./views/add-items";
import "./views/answers-table";
import "./views/attribution-run";
import "./views/attribution-settings";
import "./views/completeness-gaps";
import "./views/contrast-found";
import "./views/general-ability";
import "./views/harm-panel";
import "./views/harm-run";
import "./views/harm-scatter";
import "./views/heat-map";
import "./views/item-list";
import "./views/item-sets";
import "./views/items-audit";
import "./views/job-bar";
import "./views/kept-masks";
import "./views/kept-models";
import "./views/known-models";
import "./views/layer-search";
import "./views/link-panel";
import "./views/mask-file";
import "./views/mask-operation";
import "./views/message-bar";
import "./views/method-race";
import "./views/model-device";
import "./views/model-hub";
import "./views/model-loaded";
import "./views/neuron-card";
import "./views/neuron-contrast";
import "./views/neuron-portrait";
import "./views/own-files";
import "./views/plot-figure";
import "./views/position-bias";
import "./views/prompt-settings";
import "./views/pruned-neurons";
import "./views/python-snippet";
import "./views/random-control";
import "./views/scored-items";
import "./views/selection-stability";
import "./views/step-attribution";
import "./views/step-items";
import "./views/step-model";
import "./views/step-overview";
import "./views/step-pruning";
import "./views/step-rail";
import "./views/step-result";
import "./views/step-scores";
import "./views/step-tuning";
import "./views/strongest-neurons";
import "./views/study-documents";
import "./views/study-link";
import "./views/token-salience";
import "./views/top-share";
import "./views/tuning-curves";
import "./views/tuning-settings";
import "./views/app-shell";

installTheme();
keepFocus();
// A file dropped beside a drop zone must not replace the page.
addEventListener("dragover", (event) => event.preventDefault());
// One of this program's documents is opened wherever it is dropped.
addEventListener("drop", (event) => {
  event.preventDefault();
  openDropped([...(event.dataTransfer?.files ?? [])]);
});
document.body.append(document.createElement("app-shell"));
reloadIsolated()
  .then((isReloading) => (isReloading ? undefined : boot()))
  .catch(report);
