// Owns Uppy: choosing and dropping (its Dashboard) and sending by tus. It must not draw: the list and the basin are ours.
import Uppy from "@uppy/core";
import Dashboard from "@uppy/dashboard";
import Tus from "@uppy/tus";
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

const WORDS = {
  strings: {
    dashboardTitle: "Choose files",
    dropHint: "Drop them here",
    dropPasteBoth: "%{browseFiles} · %{browseFolders}",
    dropPasteFiles: "%{browseFiles}",
    browseFiles: "choose files",
    browseFolders: "choose a folder",
    exceedsSize: "%{file} is larger than this site takes (%{size}).",
    noDuplicates: "%{fileName} is already in the list.",
    youCanOnlyUploadX: { 0: "A transfer holds %{smart_count} file at most.", 1: "A transfer holds %{smart_count} files at most." },
  },
};

/** Builds Uppy inside `target`. `limits`: {maxFileBytes, maxFiles}. */
export function uploaderCreate({ target, tusUrl, note, limits }) {
  const uppy = new Uppy({
    id: "spillway",
    locale: WORDS,
    restrictions: { maxFileSize: limits.maxFileBytes || null, maxNumberOfFiles: limits.maxFiles || null },
  });
  uppy.use(Dashboard, {
    target,
    inline: true,
    width: "100%",
    height: "auto",
    locale: WORDS,
    note,
    // Phones and tablets have no folders to choose.
    fileManagerSelectionType: matchMedia("(pointer: coarse)").matches ? "files" : "both",
    showSelectedFiles: false,
    disableStatusBar: true,
    disableInformer: true,
    disableThumbnailGenerator: true,
    proudlyDisplayPoweredByUppy: false,
    theme: "auto",
  });
  uppy.use(Tus, {
    endpoint: tusUrl,
    chunkSize: PIECE_BYTES,
    retryDelays: RETRY_DELAYS_MS,
    limit: FILES_AT_ONCE,
    allowedMetaFields: ["filename", "filetype", "transfer"],
    urlStorage: FORGETFUL_STORAGE,
    storeFingerprintForResuming: false,
    removeFingerprintOnSuccess: true,
  });
  return uppy;
}

/** What tus announces about a file; set when it is chosen so that nothing else of Uppy's bookkeeping travels. */
export function nameForServer(uppy, file) {
  uppy.setFileMeta(file.id, { filename: file.name, filetype: file.type || "application/octet-stream" });
}

/** The ledger's view of Uppy's files. */
export function localsOf(uppy) {
  return uppy.getFiles().map((file) => ({
    id: file.id,
    name: file.name,
    type: file.type ?? "",
    size: file.size ?? 0,
    url: file.tus?.uploadUrl ?? null,
    started: Boolean(file.progress.uploadStarted),
    paused: Boolean(file.isPaused),
    failed: Boolean(file.error),
    why: file.error ? reasonInWords(file) : "",
    sent: Boolean(file.progress.uploadComplete),
    sentBytes: Number(file.progress.bytesUploaded) || 0,
  }));
}

/** The server's own sentence about a refused upload, when it gave one. */
function reasonInWords(file) {
  const said = file.response?.body?.xhr?.responseText;
  try {
    return JSON.parse(said).error.message;
  } catch {
    return `the connection was lost after ${sizeInWords(Number(file.progress.bytesUploaded) || 0)}`;
  }
}
