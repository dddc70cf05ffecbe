/** The tables of a tuner in a browser: IndexedDB, one entry per adapter. Import it only where you tune or use a table. */
import { TuningTable } from "./tuning.ts";

const database = "tepal";
const store = "tuning";

const settled = <T>(request: IDBRequest<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

async function withStore<T>(mode: IDBTransactionMode, use: (entries: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  const opening = indexedDB.open(database, 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore(store);
  const opened = await settled(opening);
  try {
    return await settled(use(opened.transaction(store, mode).objectStore(store)));
  } finally {
    opened.close();
  }
}

/** The kept table of an adapter; `null` where there is none, or one that is damaged or of another adapter. */
export async function loadTuning(adapter: string): Promise<TuningTable | null> {
  try {
    const record = await withStore<unknown>("readonly", (entries) => entries.get(adapter));
    const table = TuningTable.parse(record);
    return table.adapter === adapter ? table : null;
  } catch {
    return null; // as good as never measured
  }
}

/** Keeps a table. Throws a DOMException where the browser keeps nothing, as in private windows. */
export async function saveTuning(table: TuningTable): Promise<void> {
  await withStore("readwrite", (entries) => entries.put(table.toJSON(), table.adapter));
}
