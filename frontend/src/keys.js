// Owns the forms that a security key or passkey fills in: data-key="create" or "get", and the print button of recovery codes.
// Its options come as JSON in the page (data-key-options) or from an address (data-key-url). Sends nothing by itself.
import { gettext } from "./i18n.js";

const toBytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));

function toText(buffer) {
  const binary = Array.from(new Uint8Array(buffer), (byte) => String.fromCharCode(byte)).join("");
  return btoa(binary).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}

const withIds = (credentials) => (credentials ?? []).map((each) => ({ ...each, id: toBytes(each.id) }));

async function optionsOf(form) {
  if (!form.dataset.keyUrl) return JSON.parse(document.getElementById(form.dataset.keyOptions).textContent);
  const answer = await fetch(form.dataset.keyUrl, { headers: { Accept: "application/json" } });
  if (!answer.ok) throw new Error(gettext("The site did not answer. Try again in a moment."));
  return (await answer.json()).request_options;
}

async function create({ publicKey }, passwordless) {
  const selection = { ...publicKey.authenticatorSelection };
  selection.residentKey = passwordless ? "required" : "discouraged";
  selection.requireResidentKey = passwordless;
  if (passwordless) selection.userVerification = "required";
  return navigator.credentials.create({
    publicKey: {
      ...publicKey,
      challenge: toBytes(publicKey.challenge),
      user: { ...publicKey.user, id: toBytes(publicKey.user.id) },
      excludeCredentials: withIds(publicKey.excludeCredentials),
      authenticatorSelection: selection,
    },
  });
}

async function get({ publicKey }) {
  return navigator.credentials.get({
    publicKey: { ...publicKey, challenge: toBytes(publicKey.challenge), allowCredentials: withIds(publicKey.allowCredentials) },
  });
}

// What the server reads: every buffer as text.
function told(credential) {
  const response = {};
  for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (credential.response[name]) response[name] = toText(credential.response[name]);
  }
  if (credential.response.getTransports) response.transports = credential.response.getTransports();
  return {
    id: credential.id,
    rawId: toText(credential.rawId),
    type: credential.type,
    authenticatorAttachment: credential.authenticatorAttachment ?? null,
    clientExtensionResults: credential.getClientExtensionResults(),
    response,
  };
}

function words(error) {
  if (error.name === "InvalidStateError") return gettext("This key has been added already.");
  if (error.name === "NotAllowedError") return gettext("Nothing happened: the key did not answer in time, or it was cancelled.");
  if (error.name === "SecurityError") return gettext("Keys do not work at this address of the site. Open it at its usual one.");
  return error.message || gettext("The key could not be used.");
}

async function fill(form) {
  const said = form.querySelector("[data-key-said]");
  said.textContent = "";
  try {
    if (!window.PublicKeyCredential) throw new Error(gettext("This browser cannot use keys here."));
    const options = await optionsOf(form);
    const passwordless = Boolean(form.elements.passwordless?.checked);
    const credential = await (form.dataset.key === "create" ? create(options, passwordless) : get(options));
    form.elements.credential.value = JSON.stringify(told(credential));
    form.submit();
  } catch (error) {
    said.textContent = words(error);
  }
}

document.addEventListener("submit", (event) => {
  if (!event.target.dataset.key) return;
  event.preventDefault();
  fill(event.target);
});

for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => window.print());
}
