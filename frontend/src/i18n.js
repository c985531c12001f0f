// Owns how the scripts find a text in the reader's language: the catalog that the server serves, else the text itself.
const catalog = () => globalThis.django ?? {};

export const gettext = (text) => catalog().gettext?.(text) ?? text;

export const ngettext = (one, many, count) => catalog().ngettext?.(one, many, count) ?? (count === 1 ? one : many);

// "%(name)s" from an object, so that a translation may put them in another order.
export const interpolate = (text, values) => text.replace(/%\((\w+)\)s/g, (whole, name) => values[name] ?? whole);
