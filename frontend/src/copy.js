// Owns the copy buttons: data-copy-text="…" or data-copy-from="<id of an input>". It says in the button that it worked.
import { gettext } from "./i18n.js";

const SAID_FOR_MS = 2000;

async function copyText(text, input) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Without https the clipboard is closed to scripts: the old way still copies what is selected.
    const field = input ?? document.body.appendChild(Object.assign(document.createElement("textarea"), { value: text }));
    field.select();
    document.execCommand("copy");
    if (!input) field.remove();
  }
}

async function copyFor(button) {
  const input = document.getElementById(button.dataset.copyFrom ?? "");
  await copyText(button.dataset.copyText ?? input?.value ?? "", input);
  if (button.dataset.said) return;
  button.dataset.said = button.textContent;
  button.textContent = gettext("Copied");
  setTimeout(() => {
    button.textContent = button.dataset.said;
    delete button.dataset.said;
  }, SAID_FOR_MS);
}

export function watchCopyButtons() {
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy-text], [data-copy-from]");
    if (button) copyFor(button);
  });
}
