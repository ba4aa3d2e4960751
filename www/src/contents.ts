// What a model's files hold, whatever they are called: a model is its hashes.

export function isWeights(name: string): boolean {
  return name.endsWith(".gguf") || name.endsWith(".safetensors");
}

interface Hashed {
  name: string;
  sha256: string | null;
}

/** Files that change no number: prompts are plain text. */
const WITHOUT_EFFECT = "chat_template.jinja";

function hashes(files: readonly Hashed[]): (string | null)[] {
  return files
    .filter(({ name }) => name !== WITHOUT_EFFECT)
    .map(({ sha256 }) => sha256)
    .sort();
}

/** Whether two models have the very same files; one whose files were not hashed has the same as none. */
export function hasContents(a: readonly Hashed[], b: readonly Hashed[]): boolean {
  const [ours, theirs] = [hashes(a), hashes(b)];
  return ours.length === theirs.length && ours.every((sha256, index) => sha256 !== null && sha256 === theirs[index]);
}
