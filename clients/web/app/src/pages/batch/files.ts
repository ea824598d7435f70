/** A file that somebody chose, and its path in the folder that it came from. */
export interface Chosen {
  readonly file: File;
  readonly path: string;
}

/** Files of an input, in the order of their paths. */
export function filesOf(list: FileList): readonly Chosen[] {
  return sorted([...list].map((file) => ({ file, path: file.webkitRelativePath || file.name })));
}

/** Everything that was dropped: files, and those in folders at any depth; in the order of their paths. */
export async function droppedFiles(data: DataTransfer): Promise<readonly Chosen[]> {
  // The list of a drop is only there until the first pause.
  const found = [...data.items].map(async (item): Promise<Chosen[]> => {
    const entry = item.webkitGetAsEntry();
    // What comes from another page is a file without an entry.
    const file = entry ? null : item.getAsFile();
    if (entry) return await filesBelow(entry);
    return file ? [{ file, path: file.name }] : [];
  });
  return sorted((await Promise.all(found)).flat());
}

async function filesBelow(entry: FileSystemEntry): Promise<Chosen[]> {
  if (isFile(entry)) {
    const file = await new Promise<File>((resolve, reject) => {
      entry.file(resolve, reject);
    });
    return [{ file, path: entry.fullPath.replace(/^\//, "") }];
  }
  if (!isFolder(entry)) return [];
  const reader = entry.createReader();
  const inside: Chosen[] = [];
  for (;;) {
    const part = await new Promise<FileSystemEntry[]>((resolve, reject) => {
      reader.readEntries(resolve, reject);
    });
    if (part.length === 0) return inside;
    for (const each of part) inside.push(...(await filesBelow(each)));
  }
}

function isFile(entry: FileSystemEntry): entry is FileSystemFileEntry {
  return entry.isFile;
}

function isFolder(entry: FileSystemEntry): entry is FileSystemDirectoryEntry {
  return entry.isDirectory;
}

/** Without what systems leave in folders: `.DS_Store`, `Thumbs.db`. */
function sorted(files: readonly Chosen[]): readonly Chosen[] {
  const wanted = files.filter(({ file }) => !file.name.startsWith(".") && file.name !== "Thumbs.db");
  return wanted.sort((a, b) => a.path.localeCompare(b.path, "en", { numeric: true }));
}

/** What tells one choice of files from another; it has no contents. */
export function fingerprint(files: readonly Chosen[]): string {
  return JSON.stringify(files.map(({ file, path }) => [path, file.size, file.lastModified]));
}

/** SHA-256 as 64 hex digits; empty where the browser has none (pages that came without TLS). */
export async function sha256(content: Uint8Array<ArrayBuffer>): Promise<string> {
  if (!globalThis.isSecureContext) return "";
  const digest = await crypto.subtle.digest("SHA-256", content);
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
