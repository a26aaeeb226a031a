// The source: dropped, pasted, picked or taken from the examples.

import { byId, el, say } from "./dom.js";
import { getBlob } from "./api.js";

export class Source {
  /** onPicture gets {blob, name, prompt, style}; the last two are null but for an example. */
  constructor(onPicture) {
    this.onPicture = onPicture;
    this.file = byId("file");
    this.file.addEventListener("change", () => {
      if (this.file.files.length) this.take(this.file.files[0]);
      this.file.value = ""; // the same file may be picked again
    });
    this.acceptDrops();
    addEventListener("paste", (event) => this.pasted(event));
  }

  take(file) {
    this.onPicture({ blob: file, name: file.name || "pasted.png", prompt: null, style: null });
  }

  /** Buttons for the pictures that travel with Partway. */
  examples(examples) {
    byId("examples").replaceChildren(
      ...examples.map((example) =>
        el(
          "button",
          { type: "button", "aria-label": `Example: ${example.name}`, onclick: () => this.example(example) },
          el("img", { src: example.thumbnail, alt: "", width: 44, height: 44 }),
        ),
      ),
    );
  }

  async example(example) {
    const blob = await getBlob(example.image);
    const name = example.image.split("/").pop();
    return this.onPicture({ blob, name, prompt: example.prompt, style: example.style });
  }

  /** What is known of the picture. */
  show(picture, facts) {
    byId("source-thumb").src = picture.url;
    say(byId("source-name"), picture.name);
    say(byId("source-facts"), facts);
  }

  acceptDrops() {
    const veil = byId("drop");
    let depth = 0;
    const hide = () => {
      depth = 0;
      veil.hidden = true;
    };
    addEventListener("dragenter", (event) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      depth += 1;
      veil.hidden = false;
    });
    addEventListener("dragleave", () => {
      depth -= 1;
      if (depth <= 0) hide();
    });
    addEventListener("dragover", (event) => event.preventDefault());
    addEventListener("drop", (event) => {
      event.preventDefault();
      hide();
      const [file] = event.dataTransfer?.files ?? [];
      if (file) this.take(file);
    });
  }

  pasted(event) {
    const [file] = event.clipboardData?.files ?? [];
    if (!file) return;
    event.preventDefault();
    this.take(file);
  }
}
