import { expect, test } from "vitest";
import { hasContents } from "../../www/src/contents";
import {
  aggregateText,
  bytes,
  change,
  count,
  duration,
  parameters,
  percent,
  scoreText,
  settingsText,
  short,
  visible,
} from "../../www/src/format";
import { loadBytes, parametersWithin } from "../../www/src/precision";
import { DEFAULT_SETTINGS } from "../../www/src/services/edited";

test("numbers are written with a real minus and as many digits as they are worth", () => {
  expect(percent(0.8125)).toBe("81.3 %");
  expect([short(-1234), short(0.0004), short(0.5), short(0)]).toEqual(["−1234", "4.0e−4", "0.500", "0"]);
  expect([short(999.4), short(999.7), short(1000), short(9999), short(9999.9)]).toEqual(["999", "1000", "1000", "9999", "1.0e+4"]);
  expect([change(0.5, 1), change(-0.5, 1), change(0, 1)]).toEqual(["+0.5", "−0.5", "0.0"]);
  expect([bytes(999), bytes(1500), bytes(2.5e6), bytes(3.22e9)]).toEqual(["999 bytes", "2 kB", "2.5 MB", "3.22 GB"]);
  expect([duration(0.0123), duration(9.94), duration(89), duration(120), duration(7200)]).toEqual([
    "12 ms",
    "9.9 s",
    "89 s",
    "2 min",
    "2.0 h",
  ]);
  expect([count(1, "item"), count(1200, "item")]).toEqual(["1 item", "1,200 items"]);
  expect([parameters(543_816), parameters(134_515_008), parameters(1.5e9)]).toEqual(["544 k", "134.5 M", "1.50 B"]);
});

test("every mark of a name is seen", () => {
  expect(visible("a\u202eb")).toBe("a⟨U+202E⟩b");
  expect(visible("Zürich 1")).toBe("Zürich 1");
});

test("a model's weights take what their precision says, and its largest tensor beside them while they are read", () => {
  const size = { memory_bytes: 4000, largest_tensor_bytes: 400 };
  expect([loadBytes(size, "f32"), loadBytes(size, "f16"), loadBytes(size, "int8")]).toEqual([4400, 2400, 1525]);
  expect([parametersWithin(4400, size, "f32"), parametersWithin(100, size, "f32")]).toEqual([1000, 0]);
});

test("a model is its hashes, whatever its files are called; the chat template changes nothing", () => {
  const file = (name: string, sha256: string | null): { name: string; sha256: string | null } => ({ name, sha256 });
  expect(hasContents([file("a", "1"), file("b", "2")], [file("c", "2"), file("d", "1")])).toBe(true);
  expect(hasContents([file("a", "1"), file("chat_template.jinja", "9")], [file("b", "1")])).toBe(true);
  expect(hasContents([file("a", null)], [file("a", null)])).toBe(false);
});

test("settings say what they are, and of another method only what it knows", () => {
  expect(settingsText(DEFAULT_SETTINGS)).toBe("fast, per_layer, post, last, choice_first_token, 8 steps, middle rule");
  const { preset: _, ...own } = DEFAULT_SETTINGS;
  expect(settingsText({ ...own, rule: "adaptive", steps: 500, tolerance: 0.005 })).toContain("own settings");
  expect(settingsText({ ...own, rule: "adaptive", steps: 500, tolerance: 0.005 })).toContain("to a gap of 0.5 %");
  expect(settingsText({ ...own, method: "wanda", steps: 1, rule: "right" })).toBe("Wanda score, last");
  expect(settingsText({ ...own, method: "gradient_times_activation", steps: 1, rule: "right" })).toBe(
    "Gradient × activation, last, post, choice_first_token",
  );
  expect(settingsText({ ...own, method: "relp", steps: 1, rule: "right" })).toBe("Relevance Patching (RelP), last, choice_first_token");
  // What looks at no item has no positions and no mean over items.
  expect(settingsText({ ...own, method: "random", aggregate: "mean_absolute", steps: 1, rule: "right" })).toBe("Random numbers");
  expect(aggregateText({ ...own, method: "random" }, 32, "a")).toBe("the same for all items");
  expect(aggregateText(own, 32, "a")).toBe("signed mean over 32 items of “a”");
  expect([scoreText("integrated_gradients"), scoreText("random")]).toEqual(["|IG|", "|Random numbers|"]);
  expect(short(-0.0004)).toBe("−4.0e−4");
});
