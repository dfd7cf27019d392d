# workerd serve workerd.capnp, in a folder with these files; the tasks are kept in its folder "objects".
using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "main", worker = .edge),
    (name = "objects", disk = (path = "objects", writable = true)),
  ],
  sockets = [(name = "http", address = "127.0.0.1:8789", http = (), service = "main")],
);

const edge :Workerd.Worker = (
  modules = [
    (name = "entry.js", esModule =
      `import initSqlJs from "sql-wasm.cjs";
      `import wasm from "sql-wasm.wasm";
      `import { answer, queueObject } from "edge.mjs";
      `export class QueueObject extends queueObject(initSqlJs, wasm) {}
      `export default { fetch: answer };
    ),
    (name = "edge.mjs", esModule = embed "edge.mjs"),
    (name = "sql-wasm.cjs", commonJsModule = embed "sql-wasm.cjs"),
    (name = "sql-wasm.wasm", wasm = embed "sql-wasm.wasm"),
  ],
  compatibilityDate = "2025-06-01",
  durableObjectNamespaces = [(className = "QueueObject", uniqueKey = "holdfast")],
  durableObjectStorage = (localDisk = "objects"),
  bindings = [(name = "QUEUE", durableObjectNamespace = "QueueObject")],
);
