// Owns what this page's address and head say: the transfer's secret and the form token. It must not keep either.

/** The part after '#' of /m/<token>#<secret>; browsers do not send it to the server. */
export function secretFromAddress() {
  if (!location.pathname.startsWith("/m/")) return "";
  return decodeURIComponent(location.hash.slice(1));
}

export function csrfToken() {
  return document.querySelector('meta[name="csrf-token"]')?.content ?? "";
}
