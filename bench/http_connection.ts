/**
 * One HTTP/1.1 connection that is kept open: `fetch` would decide itself how many there are.
 */

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A connection to a server on this machine; one request at a time. */
export class HttpConnection {
  readonly #connection: Deno.TcpConn;
  readonly #chunk = new Uint8Array(16 * 1024);

  /** Connects. */
  static async open(port: number): Promise<HttpConnection> {
    const connection = await Deno.connect({ hostname: "127.0.0.1", port });
    connection.setNoDelay();
    return new HttpConnection(connection);
  }

  private constructor(connection: Deno.TcpConn) {
    this.#connection = connection;
  }

  /** Posts JSON; the answer's status, once its body has arrived. */
  async post(path: string, body: string): Promise<number> {
    const head = `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${encoder.encode(body).length}\r\n\r\n`;
    const bytes = encoder.encode(head + body);
    for (let at = 0; at < bytes.length;) at += await this.#connection.write(bytes.subarray(at));
    return await this.#readAnswer();
  }

  close(): void {
    this.#connection.close();
  }

  async #readAnswer(): Promise<number> {
    let text = "";
    for (;;) {
      const count = await this.#connection.read(this.#chunk);
      if (count === null) throw new Error(`The server closed the connection after ${text}`);
      // An answer of the run endpoint is ASCII, so characters are bytes.
      text += decoder.decode(this.#chunk.subarray(0, count));
      const end = text.indexOf("\r\n\r\n");
      if (end < 0) continue;
      const length = Number(/\r\ncontent-length: (\d+)/i.exec(text)?.[1]);
      if (Number.isNaN(length)) throw new Error(`The answer does not say its length: ${text}`);
      if (text.length - end - 4 >= length) return Number(text.slice(9, 12));
    }
  }
}
