// Owns that choosing a language keeps one's place: what stands after "#" (a sender's secret, say) never reaches the server,
// so it goes along on the form's own address, from which a browser hands it on through the redirect.
export function keepPlace() {
  document.addEventListener("submit", (event) => {
    if (event.target.matches("form[data-keeps-place]")) event.target.action = event.target.action.split("#")[0] + location.hash;
  });
}
