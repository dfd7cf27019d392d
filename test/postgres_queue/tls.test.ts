/**
 * Encrypted connections to a real server with a certificate: what each `sslmode` accepts, and what it says when it does not.
 *
 * The certificate is for `localhost`, signed by the authority in `ca.pem`; they hold for a hundred years, and protect nothing.
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openQueue, StorageError } from "../../src/mod.ts";
import { freshSchema } from "../support/postgres_queues.ts";
import {
  type PostgresServer,
  removePostgres,
  startPostgres,
  whyNotStarted,
} from "../support/postgres_server.ts";

const CERTIFICATES = fileURLToPath(new URL("../support/certificates", import.meta.url));
const SECRET = "s3cr3t";

const ignore = whyNotStarted() !== undefined;

/** One takes encrypted connections only, the other none. */
let encrypted: PostgresServer;
let plain: PostgresServer;
let folder: string;

Deno.test.beforeAll(async () => {
  if (ignore) return;
  folder = await Deno.makeTempDir({ prefix: "holdfast-tls-" });
  for (const name of ["server.pem", "server.key"]) {
    await Deno.copyFile(join(CERTIFICATES, name), join(folder, name));
  }
  await Deno.writeTextFile(join(folder, "hba.conf"), "hostssl all all 127.0.0.1/32 trust\n");
  if (Deno.build.os !== "windows") await giveToServer();
  encrypted = await startPostgres([
    "ssl=on",
    `ssl_cert_file=${folder}/server.pem`,
    `ssl_key_file=${folder}/server.key`,
    `hba_file=${folder}/hba.conf`,
  ]);
  plain = await startPostgres();
});

Deno.test.afterAll(async () => {
  if (ignore) return;
  await removePostgres(encrypted);
  await removePostgres(plain);
  await Deno.remove(folder, { recursive: true });
});

/** A server refuses a key that others may read. */
async function giveToServer(): Promise<void> {
  await Deno.chmod(folder, 0o755);
  await Deno.chmod(join(folder, "server.key"), 0o600);
  if (Deno.uid() !== 0) return;
  for (const name of ["server.pem", "server.key", "hba.conf"]) {
    await Deno.chown(join(folder, name), 65534, 65534);
  }
}

function address(
  server: PostgresServer,
  { mode, ca, host = "localhost" }: {
    readonly mode: string;
    readonly ca?: string;
    readonly host?: string;
  },
): string {
  const url = new URL(server.url);
  url.hostname = host;
  url.password = SECRET;
  url.searchParams.set("schema", freshSchema());
  url.searchParams.set("sslmode", mode);
  if (ca !== undefined) url.searchParams.set("sslrootcert", join(CERTIFICATES, ca));
  return url.href;
}

/** Enqueues, claims and completes a task there. */
async function useQueue(url: string): Promise<void> {
  const queue = await openQueue(url);
  try {
    await queue.enqueue({ type: "t" });
    const [task] = await queue.claim({ workerId: "w", types: ["t"] });
    assertEquals((await queue.complete(task!)).status, "completed");
  } finally {
    await queue.close();
  }
}

async function refusal(url: string): Promise<string> {
  const { message } = await assertRejects(() => openQueue(url), StorageError);
  assert(!message.includes(SECRET), message);
  return message;
}

for (const mode of ["prefer", "require"]) {
  Deno.test({
    name: `sslmode=${mode} works where only encrypted connections are taken, whoever signed`,
    ignore,
    fn: () => useQueue(address(encrypted, { mode })),
  });
}

Deno.test({
  name: "sslmode=disable is refused there, and the message says why",
  ignore,
  fn: async () => {
    const message = await refusal(address(encrypted, { mode: "disable" }));
    assert(/no encryption/.test(message), message);
  },
});

Deno.test({
  name: "verify-full works for the name in a certificate of the given authority",
  ignore,
  fn: () => useQueue(address(encrypted, { mode: "verify-full", ca: "ca.pem" })),
});

Deno.test({
  name: "verify-full refuses another name, which verify-ca takes",
  ignore,
  fn: async () => {
    const host = "127.0.0.1";
    const message = await refusal(
      address(encrypted, { mode: "verify-full", ca: "ca.pem", host }),
    );
    assert(/certificate/i.test(message) && /127\.0\.0\.1/.test(message), message);
    await useQueue(address(encrypted, { mode: "verify-ca", ca: "ca.pem", host }));
  },
});

for (const mode of ["verify-ca", "verify-full"]) {
  Deno.test({
    name: `${mode} refuses a certificate of another authority`,
    ignore,
    fn: async () => {
      for (const ca of ["other-ca.pem", undefined]) {
        const message = await refusal(address(encrypted, { mode, ca }));
        assert(/certificate|issuer|authority/i.test(message), message);
      }
    },
  });
}

Deno.test({
  name: "a server without TLS is used with prefer, and refused where encryption is required",
  ignore,
  fn: async () => {
    await useQueue(address(plain, { mode: "prefer" }));
    for (const mode of ["require", "verify-ca", "verify-full"]) {
      const message = await refusal(address(plain, { mode, ca: "ca.pem" }));
      assert(/does not support (SSL|TLS)/i.test(message), message);
    }
  },
});
