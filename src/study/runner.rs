//! Executes a study from end to end.

use super::report::{FORMAT, Report, VERSION};
use super::reproduction::{Expected, Reproduction};
use super::session::TuneRequest;
use super::{MadeOf, PruningSpec, Role, Session, Study, StudyError};
use crate::attribution::Settings;
use crate::items::{Item, items_sha256};
use crate::job::Job;
use crate::model::{Model, Site};
use crate::pruning::effect::check_control;
use crate::pruning::{Mask, Selection};

/// Runs a study on the session's model. `sample` finds the items of a set that is not inline.
///
/// # Errors
///
/// [`StudyError`]: the document, the wrong model, items that are not the study's, or a failing or
/// cancelled run.
pub async fn run(
    session: &mut Session,
    study: &Study,
    sample: impl Fn(&str) -> Result<Vec<Item>, StudyError>,
    job: Job<'_>,
) -> Result<Report, StudyError> {
    run_like(session, study, None, sample, job).await
}

/// The same; neurons that are selected are changed as `like` changes its own, else as the search changed them.
async fn run_like(
    session: &mut Session,
    study: &Study,
    like: Option<Mask>,
    sample: impl Fn(&str) -> Result<Vec<Item>, StudyError>,
    job: Job<'_>,
) -> Result<Report, StudyError> {
    let start = job.now_secs();
    study.check()?;
    check_model(session, study)?;
    check_parts(study, &session.model)?;
    let prompting = study.prompting()?;
    let mut sets = Vec::new();
    let mut study = study.clone();
    study.model.sha256 = session.model_spec().sha256;
    study.attribution = study.attribution.map(Settings::named);
    for set in &mut study.item_sets {
        let all = match (&set.items, &set.sample) {
            (Some(items), _) => items.clone(),
            (None, Some(name)) => sample(name)?,
            (None, None) => Vec::new(),
        };
        let items = set.select(all)?;
        let found = items_sha256(&items);
        if set.sha256.is_empty() {
            set.sha256 = found;
        } else if set.sha256 != found {
            return Err(StudyError::Document(format!(
                "the items of `{}` are not the study's: sha256 {found}, expected {}",
                set.name, set.sha256
            )));
        }
        sets.push((set.name.clone(), items));
    }
    session.change(|bench| {
        bench.set_prompting(prompting);
        bench.set_rule(study.scoring.rule);
        for (name, items) in sets {
            bench.set_items(&name, items);
        }
    });
    let all: Vec<String> = study.item_sets.iter().map(|set| set.name.clone()).collect();
    let named =
        |role| -> Vec<String> { study.sets_of(role).into_iter().map(str::to_owned).collect() };
    let (attributed, validation) = (named(Role::Attribution), named(Role::Validation));
    let mut test: Vec<String> = study
        .reported_sets()
        .into_iter()
        .map(str::to_owned)
        .collect();
    if test.is_empty() {
        test.clone_from(&all);
    }
    session.score_all(&all, job).await?;
    if let (Some(settings), [set]) = (&study.attribution, attributed.as_slice()) {
        session.attribute(set, settings, job).await?;
    }
    let audit = match &study.audit {
        Some(spec) => Some(session.audit(&spec.set, job).await?),
        None => None,
    };
    let race = match &study.race {
        Some(spec) => Some(session.race(spec, job).await?),
        None => None,
    };
    let search = match &study.search {
        Some(spec) => Some(session.search(&validation, spec, job).await?),
        None => None,
    };
    let best = search.as_ref().map(|search| search.best.clone());
    let (mask, selection) = choose_mask(session, &study, best, like, job).await?;
    if let (Some(mask), Some(_)) = (&mask, study.control) {
        session.check_control(mask, job).await?;
    }
    let pruned = match &mask {
        Some(mask) => Some(session.prune(mask.clone(), &test, job).await?),
        None => None,
    };
    let control = match (&pruned, study.control) {
        (Some(pruned), Some(spec)) => Some(
            session
                .control(pruned.mask.clone(), &test, (spec.masks, spec.seed), job)
                .await?,
        ),
        _ => None,
    };
    let tuning = match &study.tuning {
        Some(settings) => {
            let [train, tuned_on] = study
                .tuned_sets()
                .map(|sets| sets.into_iter().map(str::to_owned).collect());
            let request = TuneRequest {
                mask: mask.clone().unwrap_or_else(|| Mask::empty(Site::Post)),
                train,
                validation: tuned_on,
                test,
                settings: settings.clone(),
                seed: study.seed,
                compare: true,
            };
            Some(session.tune(&request, job).await?)
        }
        None => None,
    };
    if let Some(pruned) = &pruned {
        study.pruning = Some(PruningSpec {
            mask: Some(pruned.mask.clone()),
            selection,
        });
    }
    let baseline = all.iter().filter_map(|set| session.baseline(set).cloned());
    let baseline = baseline.map(|scores| match study.scoring.keep_tokens {
        true => scores,
        false => scores.without_tokens(),
    });
    Ok(Report {
        format: FORMAT.to_owned(),
        version: VERSION,
        engine: session.engine_info(),
        model: session.model_info(),
        baseline: baseline.collect(),
        audit,
        attribution: session
            .attribution()
            .filter(|_| study.attribution.is_some())
            .cloned(),
        race,
        effects: Vec::new(),
        search,
        pruned,
        control,
        tuning,
        seconds: job.now_secs() - start,
        study,
    })
}

/// Re-runs a study and compares it with what was expected. A mask that came from a selection is made
/// anew, so that it can be compared.
///
/// # Errors
///
/// As [`run`].
pub async fn reproduce(
    session: &mut Session,
    study: &Study,
    expected: &Expected,
    sample: impl Fn(&str) -> Result<Vec<Item>, StudyError>,
    job: Job<'_>,
) -> Result<(Report, Reproduction), StudyError> {
    let mut again = study.clone();
    let mut like = None;
    if let Some(pruning) = &mut again.pruning
        && pruning.selection.is_some()
        && again.attribution.is_some()
    {
        like = pruning.mask.take();
    }
    let report = run_like(session, &again, like, sample, job).await?;
    let measured = Expected::of_report(&report);
    Ok((report, Reproduction::new(expected, &measured)))
}

fn check_model(session: &Session, study: &Study) -> Result<(), StudyError> {
    let (wanted, loaded) = (&study.model, session.model_spec());
    // Where the study has no hash, its model's name decides.
    let is_named = !wanted.sha256.is_empty() || wanted.id == loaded.id;
    let with_loaded = MadeOf::default().with_model(&session.model);
    if is_named && study.made_of().is_same(&with_loaded) {
        return Ok(());
    }
    let describe =
        |id: &str, sha256: &str| format!("{id} (sha256 {})", sha256.get(..12).unwrap_or(sha256));
    Err(StudyError::OtherModel {
        expected: describe(&wanted.id, &wanted.sha256),
        found: describe(&loaded.id, &loaded.sha256),
    })
}

/// Refuses at once what could not be done after hours of work: parts without those that they need, and settings that the
/// model cannot bear.
fn check_parts(study: &Study, model: &Model) -> Result<(), StudyError> {
    let config = model.config();
    let attributed = study.sets_of(Role::Attribution).len();
    if study.attribution.is_some() && attributed != 1 {
        return Err(StudyError::Document(format!(
            "an attribution needs exactly one item set of the role `attribution`, not {attributed}"
        )));
    }
    if let Some(search) = &study.search {
        if study.attribution.is_none() || study.sets_of(Role::Validation).is_empty() {
            return Err(StudyError::Document(
                "a search needs an `attribution` and an item set of the role `validation`".into(),
            ));
        }
        search.check(config.n_layers)?;
        // Not where a study is read: a report of one whose set was renamed is still a report.
        study.check_named("search.means_of", search.means_of.as_ref())?;
    }
    if let Some(race) = &study.race {
        race.check(config.n_layers)?;
    }
    check_mask_source(study)?;
    if let Some(pruning) = &study.pruning {
        if let Some(mask) = &pruning.mask {
            mask.clone().checked(config)?;
        }
        if let Some(selection) = &pruning.selection {
            selection.check(config.n_layers)?;
        }
    }
    for kept in study.kept_masks.iter().filter(|kept| kept.is_of(model)) {
        kept.on(model)?;
    }
    if let Some(control) = &study.control {
        check_control(control.masks)?;
    }
    if let Some(tuning) = &study.tuning {
        tuning.check(config.n_layers)?;
    }
    Ok(())
}

/// Pruning and its control need a mask, or what makes one.
fn check_mask_source(study: &Study) -> Result<(), StudyError> {
    let fail = |message: &str| Err(StudyError::Document(message.to_owned()));
    let spec = study.pruning.as_ref();
    let has_mask = spec.is_some_and(|spec| spec.mask.is_some());
    let has_selection = spec.is_some_and(|spec| spec.selection.is_some());
    if has_selection && !has_mask && study.attribution.is_none() {
        return fail("a `selection` without its `mask` needs an `attribution`");
    }
    let has_source = has_mask || has_selection || study.search.is_some();
    if spec.is_some() && !has_source {
        return fail("`pruning` needs a `mask` or a `selection`, or the study a `search`");
    }
    if study.control.is_some() && !has_source {
        return fail(
            "a `control` needs a `pruning` or a `search`: its masks are as large as what is pruned",
        );
    }
    Ok(())
}

/// The study's mask, or its selection's, or the best cell's; a selection's neurons are changed as `like` changes its own, and the best
/// cell's as the search changed them.
async fn choose_mask(
    session: &mut Session,
    study: &Study,
    best: Option<Selection>,
    like: Option<Mask>,
    job: Job<'_>,
) -> Result<(Option<Mask>, Option<Selection>), StudyError> {
    let spec = study.pruning.as_ref();
    let selection = spec.and_then(|spec| spec.selection.clone());
    if let Some(mask) = spec.and_then(|spec| spec.mask.clone()) {
        let mask = mask.checked(session.model.config())?;
        // A selection that gives another mask did not make this one, and a re-run is not to make it anew from that.
        let is_its = match (&selection, &study.attribution) {
            (Some(selection), Some(_)) => match session.mask_of(selection, job).await {
                Ok(made) => made.site == mask.site && made.is_of_same_neurons(&mask),
                Err(error) if error.is_cancelled() => return Err(error),
                Err(_) => false,
            },
            _ => true,
        };
        return Ok((Some(mask), selection.filter(|_| is_its)));
    }
    let searched = study.search.as_ref().filter(|_| selection.is_none());
    match selection.or(best) {
        Some(selection) => {
            let like = match (like, searched) {
                (Some(like), _) => like,
                (None, Some(spec)) => spec.like(&session.attributed()?.set),
                (None, None) => Mask::empty(Site::Post),
            };
            let mask = session.mask_of(&selection, job).await?;
            let mask = session.changed_like(mask, &like, job).await?;
            Ok((Some(mask), Some(selection)))
        }
        None => Ok((None, None)),
    }
}
