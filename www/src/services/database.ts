// Records of this page in IndexedDB.

const DATABASE = "secateur";
const STORE = "session";
/** A storage that does not answer within this time is taken for one that never does. */
const PATIENCE_MS = 4000;

/** What is kept: the study at hand, and those put aside. */
export type Key = "current" | "earlier";

/** Open for as long as the page is: the last change before its end has no time to wait for an opening. */
let connection: IDBDatabase | null = null;

function open(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(DATABASE, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE);
    request.onsuccess = () => {
      const database = request.result;
      const forget = (): void => {
        connection = null;
      };
      database.onclose = forget;
      // Somebody deletes or renews it, and waits for this page.
      database.onversionchange = () => {
        database.close();
        forget();
      };
      connection = database;
      resolve(database);
    };
    request.onerror = () => reject(request.error);
  });
}

function begin<T>(database: IDBDatabase, mode: IDBTransactionMode, run: (records: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const transaction = database.transaction(STORE, mode);
    transaction.onerror = () => reject(transaction.error);
    transaction.onabort = () => reject(transaction.error);
    const request = run(transaction.objectStore(STORE));
    if (mode === "readonly") {
      // Of a large value the browser may say that the transaction is complete before it has brought the value.
      request.onsuccess = () => resolve(request.result);
      return;
    }
    transaction.oncomplete = () => resolve(request.result);
    // A page that ends now would take a transaction with it that still waits for more.
    transaction.commit();
  });
}

function inTime<T>(work: Promise<T>): Promise<T> {
  const late = new Promise<never>((_, reject) => setTimeout(() => reject(new Error("it does not answer")), PATIENCE_MS));
  return Promise.race([work, late]);
}

/** What is asked while the connection is open is on its way when this returns. */
function transact<T>(mode: IDBTransactionMode, run: (records: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  const answer = connection ? begin(connection, mode, run) : open().then((database) => begin(database, mode, run));
  return inTime(answer);
}

export function read(key: Key): Promise<unknown> {
  return transact<unknown>("readonly", (records) => records.get(key));
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
