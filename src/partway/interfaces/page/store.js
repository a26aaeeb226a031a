// Edits kept in this browser (IndexedDB): pictures as blobs, nothing leaves the machine.
//
//   {id, at, name, source, settings, reference, area, strength, results: [{strength, blob, …}]}

const NAME = "partway";
const EDITS = "edits";
const MOST = 100;

let opened = null;

function open() {
  opened ??= new Promise((resolve, reject) => {
    const asked = indexedDB.open(NAME, 1);
    asked.onupgradeneeded = () => {
      asked.result.createObjectStore(EDITS, { keyPath: "id" }).createIndex("at", "at");
    };
    asked.onsuccess = () => resolve(asked.result);
    asked.onerror = () => reject(asked.error);
  });
  return opened;
}

async function within(mode, work) {
  const transaction = (await open()).transaction(EDITS, mode);
  const result = work(transaction.objectStore(EDITS));
  await new Promise((resolve, reject) => {
    transaction.oncomplete = resolve;
    transaction.onerror = () => reject(transaction.error);
    transaction.onabort = () => reject(transaction.error);
  });
  return result?.result;
}

/** All edits, newest first. */
export async function all() {
  const found = await within("readonly", (edits) => edits.getAll());
  return found.sort((a, b) => b.at - a.at);
}

/** Keep an edit, in place of the one with its id; the oldest beyond the limit go. */
export async function keep(edit) {
  await within("readwrite", (edits) => edits.put(edit));
  const old = (await all()).slice(MOST);
  for (const { id } of old) await forget(id);
}

export async function forget(id) {
  await within("readwrite", (edits) => edits.delete(id));
}

export async function forgetAll() {
  await within("readwrite", (edits) => edits.clear());
}

/** A short name for content, the same for the same content (FNV-1a, 2 × 32 bits; no secret). */
export function nameOf(...parts) {
  let low = 0x811c9dc5;
  let high = 0x1b873593;
  for (const part of parts) {
    const bytes = typeof part === "string" ? new TextEncoder().encode(part) : new Uint8Array(part);
    for (const byte of bytes) {
      low = Math.imul(low ^ byte, 0x01000193);
      high = Math.imul(high ^ byte, 0x85ebca6b) ^ (low >>> 13);
    }
  }
  const hex = (value) => (value >>> 0).toString(16).padStart(8, "0");
  return hex(low) + hex(high);
}
