// Owns the ways in: dropping anywhere on the page, the buttons, the camera, the clipboard. What comes out are picks
// (folders.js); it must not know what becomes of them.
import { picksOfDrop, picksOfList } from "./folders.js";
import { gettext, interpolate } from "./i18n.js";

const EDITABLE = "input, textarea, select, [contenteditable]";

const carriesFiles = (transfer) => [...(transfer?.types ?? [])].includes("Files");

export class WaysIn {
  #root;
  #basin;
  #most;
  #take;

  /** `root` holds the inputs and [data-pick] buttons. `take({picks, unreadable})` is called for each gesture. */
  constructor({ root, most, take }) {
    this.#root = root;
    this.#basin = root.querySelector(".basin");
    this.#most = most;
    this.#take = take;
    this.#listenToInputs();
    this.#listenToDrops();
    document.addEventListener("paste", (event) => this.#pasted(event));
  }

  /** Opens the browser's own window for choosing files. */
  choose() {
    this.#pick("files");
  }

  #listenToInputs() {
    for (const input of this.#root.querySelectorAll("input[data-input]")) {
      input.addEventListener("change", () => {
        this.#take({ picks: picksOfList(input.files), unreadable: 0 });
        // The same file may be chosen again after it was removed.
        input.value = "";
      });
    }
    for (const button of this.#root.querySelectorAll("[data-pick]")) {
      button.addEventListener("click", () => this.#pick(button.dataset.pick));
    }
  }

  // Chromium's own picker gives handles, through which a later page may read the files again.
  async #pick(kind) {
    if (kind !== "files" || !window.showOpenFilePicker) return this.#root.querySelector(`[data-input=${kind}]`).click();
    try {
      const handles = await window.showOpenFilePicker({ multiple: true });
      const picks = await Promise.all(handles.map(async (handle) => ({ file: await handle.getFile(), folder: "", handle })));
      this.#take({ picks, unreadable: 0 });
    } catch (error) {
      if (error.name !== "AbortError") this.#root.querySelector("[data-input=files]").click();
    }
  }

  #listenToDrops() {
    // Anywhere: a file dropped beside the basin must not make the browser leave this page.
    window.addEventListener("dragover", (event) => {
      if (!carriesFiles(event.dataTransfer)) return;
      event.preventDefault();
      event.dataTransfer.dropEffect = "copy";
      this.#basin.toggleAttribute("data-over", true);
    });
    window.addEventListener("dragleave", (event) => event.relatedTarget ?? this.#basin.removeAttribute("data-over"));
    window.addEventListener("drop", (event) => {
      if (!carriesFiles(event.dataTransfer)) return;
      event.preventDefault();
      this.#basin.removeAttribute("data-over");
      picksOfDrop(event.dataTransfer.items, this.#most).then(this.#take);
    });
  }

  #pasted(event) {
    const files = [...(event.clipboardData?.files ?? [])];
    const text = event.clipboardData?.getData("text/plain") ?? "";
    if (event.target.closest?.(EDITABLE) && !files.length) return;
    if (!files.length && !text.trim()) return;
    event.preventDefault();
    this.#take({ picks: (files.length ? files.map(named) : [textFile(text)]).map((file) => ({ file, folder: "" })), unreadable: 0 });
  }
}

const clock = () => new Date().toTimeString().slice(0, 8).replaceAll(":", ".");

// Every picture from the clipboard is called image.png.
function named(file) {
  if (!/^image\.\w+$/.test(file.name)) return file;
  const name = `${interpolate(gettext("Pasted image %(time)s"), { time: clock() })}.${file.name.split(".").pop()}`;
  return new File([file], name, { type: file.type, lastModified: file.lastModified });
}

const textFile = (text) =>
  new File([text], `${interpolate(gettext("Pasted text %(time)s"), { time: clock() })}.txt`, { type: "text/plain" });
