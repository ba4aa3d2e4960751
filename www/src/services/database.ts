// Records of this page in IndexedDB.

const DATABASE = "secateur";
const STORE = "session";

/** What is kept: the study at hand, and those put aside. */
export type Key = "current" | "earlier";

function open(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(DATABASE, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

async function transact<T>(mode: IDBTransactionMode, run: (records: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  const database = await open();
  try {
    return await new Promise((resolve, reject) => {
      const transaction = database.transaction(STORE, mode);
      const request = run(transaction.objectStore(STORE));
      transaction.oncomplete = () => resolve(request.result);
      transaction.onerror = () => reject(transaction.error);
      transaction.onabort = () => reject(transaction.error);
    });
  } finally {
    database.close();
  }
}

export function read<T>(key: Key): Promise<T | undefined> {
  return transact("readonly", (records) => records.get(key) as IDBRequest<T | undefined>);
}

export async function write(key: Key, value: unknown): Promise<void> {
  await transact("readwrite", (records) => records.put(value, key));
}

/** Writes one record and takes another away, both or neither. */
export async function move(to: Key, value: unknown, from: Key): Promise<void> {
  await transact("readwrite", (records) => {
    records.put(value, to);
    return records.delete(from);
  });
}
