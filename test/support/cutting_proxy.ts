/**
 * A proxy between a client and a server that now and then, instead of passing an answer on, cuts the connection: what was
 * asked for has been done, and nobody is told. Or it falls silent, as a network does that has forgotten a connection.
 */

/** Where to listen, and what to do. */
export interface CuttingProxy {
  readonly port: number;
  /** How many connections were cut so far. */
  readonly cuts: number;
  /** The share of answers that are cut from now on, 0–1. */
  cutShare: number;
  /** From now on nothing passes over the connections that there are, and neither end hears of it. */
  silence(): void;
  close(): Promise<void>;
}

/** Passes connections on to this port of this machine. */
export function cuttingProxy(toPort: number, random: () => number): CuttingProxy {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const open = new Set<Deno.Conn>();
  const silent = new WeakSet<Deno.Conn>();
  let cuts = 0;
  const proxy = {
    port: listener.addr.port,
    get cuts(): number {
      return cuts;
    },
    cutShare: 0,
    silence: (): void => {
      for (const connection of open) silent.add(connection);
    },
    close: async (): Promise<void> => {
      listener.close();
      for (const connection of open) shut(connection);
      await accepting;
    },
  };

  function shut(connection: Deno.Conn): void {
    if (!open.delete(connection)) return;
    connection.close();
  }

  async function pass(from: Deno.Conn, to: Deno.Conn, mayCut: boolean): Promise<void> {
    const bytes = new Uint8Array(64 * 1024);
    try {
      for (;;) {
        const count = await from.read(bytes);
        if (count === null) break;
        if (silent.has(from)) continue;
        if (mayCut && random() < proxy.cutShare) {
          cuts++;
          break;
        }
        for (let sent = 0; sent < count;) sent += await to.write(bytes.subarray(sent, count));
      }
    } catch {
      // one side is gone, so the other goes too
    } finally {
      shut(from);
      shut(to);
    }
  }

  async function connect(client: Deno.Conn): Promise<void> {
    open.add(client);
    try {
      const server = await Deno.connect({ hostname: "127.0.0.1", port: toPort });
      open.add(server);
      await Promise.all([pass(client, server, false), pass(server, client, true)]);
    } catch {
      shut(client); // no server
    }
  }

  const accepting = (async () => {
    const connections: Promise<void>[] = [];
    try {
      for await (const client of listener) connections.push(connect(client));
    } catch {
      // the listener was closed
    }
    await Promise.all(connections);
  })();
  return proxy;
}
