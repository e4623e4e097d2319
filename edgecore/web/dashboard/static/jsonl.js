// JSON Lines as they come, for as long as the answer is read.

export async function readLines(response, onEntry) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const parts = (rest + value).split("\n");
    rest = parts.pop();
    for (const line of parts) if (line) onEntry(JSON.parse(line));
  }
}

// One request at a time behind a button labelled Follow or Stop.
export class Follower {
  constructor(button) {
    this.button = button;
    this.reading = null;
  }

  async toggle(ask, onEntry, onProblem) {
    if (this.reading) return this.stop();
    const mine = new AbortController();
    this.reading = mine;
    this.button.textContent = "Stop";
    try {
      const response = await ask(mine.signal);
      if (response.ok) await readLines(response, onEntry);
      else onProblem((await response.json()).message);
    } catch (error) {
      if (error.name !== "AbortError") onProblem("The core does not answer.");
    }
    if (this.reading === mine) this.stop();
  }

  stop() {
    this.reading?.abort();
    this.reading = null;
    this.button.textContent = "Follow";
  }
}
