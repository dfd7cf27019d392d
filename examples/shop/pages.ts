/**
 * The shop's pages. `html` escapes what is put into them.
 */
import { html } from "hono/html";

/** A finished page. */
type Page = ReturnType<typeof html>;

/** Follows the run of a print, and shows how far it is. Where the page's policy allows scripts of its own origin only. */
export const SCRIPT = `
const progress = document.querySelector("progress");
const source = new EventSource(location.pathname + "/progress");
const show = ({ data }) => {
  const run = JSON.parse(data);
  progress.value = run.progress_percent ?? 0;
  document.querySelector("#status").textContent = run.status;
};
source.addEventListener("status", show);
source.addEventListener("complete", () => {
  source.close();
  location.reload();
});
`;

function page(title: string, body: Page): Page {
  return html`
    <!doctype html>
    <html
      lang="en"><meta charset="utf-8"><link rel="icon" href="data:,"><title>${title}</title><h1>${title}</h1>${body}</html>
  `;
}

/** Who are you? */
export function signInPage(problem = ""): Page {
  return page(
    "Prints",
    html`
      <p>${problem}</p>
      <form method="post" action="/sign-in">
      <label>Name <input name="customer" autocomplete="username"></label>
      <label>Password <input name="password" type="password" autocomplete="current-password"></label>
      <button>Sign in</button></form>
    `,
  );
}

/** What a customer may order. */
export function orderPage(customer: string): Page {
  return page(
    `Prints for ${customer}`,
    html`
      <form method="post" action="/orders" enctype="multipart/form-data">
      <label>Picture (PNG) <input name="picture" type="file" accept="image/png" required></label>
      <button>Order</button></form>
      <form method="post" action="/sign-out"><button>Sign out</button></form>
    `,
  );
}

/** How an order is getting on. */
export interface OrderView {
  readonly orderId: string;
  /** The run of its print, once it is paid. */
  readonly runId?: string;
  readonly status: string;
  readonly cents?: number;
  readonly problem?: string | null;
}

/** One order. */
export function statusPage({ orderId, runId, status, cents, problem }: OrderView): Page {
  const isUnderWay = runId !== undefined && ["queued", "leased"].includes(status);
  return page(
    "Your print",
    html`<p>Order <code>${orderId}</code>: <b id="status">${status}</b> ${problem ?? ""}</p>
${
      isUnderWay
        ? html`<progress max="100" value="0"></progress><script src="/progress.js"></script>`
        : ""
    }
${status === "completed" ? html`<img src="/orders/${orderId}/print.png" alt="Your print">` : ""}
${cents === undefined ? "" : html`<p id="price">${(cents / 100).toFixed(2)} €</p>`}`,
  );
}
