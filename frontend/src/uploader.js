// Owns Uppy: which files are in hand, and sending them by tus. It must not draw, and not choose: pages do.
import Uppy from "@uppy/core";
import Tus from "@uppy/tus";
import { gettext, interpolate, ngettext } from "./i18n.js";
import { sizeInWords } from "./words.js";

const MIB = 1024 ** 2;

// A piece is what one request carries. Small enough that an instance that is told to stop has few seconds of it left, large
// enough that the requests' own cost does not count.
const PIECE_BYTES = 32 * MIB;
const FILES_AT_ONCE = 3;

// Ten minutes of an unreachable site are survived without a word; after that the person is asked to try again.
const RETRY_DELAYS_MS = [0, 500, 1000, 2000, 4000, 8000, ...Array(40).fill(15_000)];

// Which upload a file goes on with is the server's knowledge (it lists its unfinished ones). What a browser remembers could
// belong to another transfer, and the bytes would end up there.
const FORGETFUL_STORAGE = {
  findAllUploads: async () => [],
  findUploadsByFingerprint: async () => [],
  removeUpload: async () => {},
  addUpload: async () => null,
};

// Uppy puts in what stands in %{...}.
const words = (maxFiles) => ({
  strings: {
    exceedsSize: gettext("%{file} is larger than this site takes (%{size})."),
    aggregateExceedsSize: gettext("These files are more than one transfer may hold (%{sizeAllowed})."),
    noDuplicates: gettext("%{fileName} is already in the list."),
    youCanOnlyUploadX: {
      0: interpolate(ngettext("A transfer holds %(n)s file at most.", "A transfer holds %(n)s files at most.", maxFiles), { n: maxFiles }),
      1: interpolate(ngettext("A transfer holds %(n)s file at most.", "A transfer holds %(n)s files at most.", maxFiles), { n: maxFiles }),
    },
  },
});

/** Builds Uppy. `limits`: {maxFileBytes, maxTransferBytes, maxFiles}, 0 for none. */
export function uploaderCreate({ tusUrl, limits }) {
  const uppy = new Uppy({
    id: "spillway",
    locale: words(limits.maxFiles),
    restrictions: {
      maxFileSize: limits.maxFileBytes || null,
      maxTotalFileSize: limits.maxTransferBytes || null,
      maxNumberOfFiles: limits.maxFiles || null,
    },
  });
  uppy.use(Tus, {
    endpoint: tusUrl,
    chunkSize: PIECE_BYTES,
    retryDelays: RETRY_DELAYS_MS,
    limit: FILES_AT_ONCE,
    allowedMetaFields: ["filename", "filetype", "relativePath", "transfer"],
    urlStorage: FORGETFUL_STORAGE,
    storeFingerprintForResuming: false,
    removeFingerprintOnSuccess: true,
  });
  return uppy;
}

/** Uppy's description of a pick; its metadata is what tus announces of it. */
export function describe({ file, folder }) {
  const relativePath = folder ? `${folder}/${file.name}` : file.name;
  return {
    name: file.name,
    type: file.type,
    data: file,
    source: "page",
    meta: { filename: file.name, filetype: file.type || "application/octet-stream", relativePath },
  };
}

/** The folder a file in Uppy's hand lies in; "" for none. */
export const folderOf = (file) => (file.meta.relativePath ?? "").split("/").slice(0, -1).join("/");

/** The ledger's view of Uppy's files. */
export function localsOf(uppy) {
  return uppy.getFiles().map((file) => ({
    id: file.id,
    name: file.name,
    folder: folderOf(file),
    type: file.type ?? "",
    size: file.size ?? 0,
    url: file.tus?.uploadUrl ?? null,
    started: Boolean(file.progress.uploadStarted),
    paused: Boolean(file.isPaused),
    failed: Boolean(file.error),
    refused: Boolean(file.error) && file.response?.status > 0,
    why: file.error ? reasonInWords(file) : "",
    sent: Boolean(file.progress.uploadComplete),
    sentBytes: Number(file.progress.bytesUploaded) || 0,
  }));
}

/** The server's own sentence about a refused upload, when it gave one. */
function reasonInWords(file) {
  const said = file.response?.body?.xhr?.responseText;
  try {
    const { code, message } = JSON.parse(said).error;
    return code === "quota_exceeded" ? `${message} ${gettext("Remove older transfers, or wait until they expire.")}` : message;
  } catch {
    const kept = sizeInWords(Number(file.progress.bytesUploaded) || 0);
    return interpolate(gettext("the connection was lost after %(kept)s"), { kept });
  }
}
