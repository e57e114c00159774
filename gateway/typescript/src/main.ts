// One order, from its terms to the payment. The shop and the wallets of a buyer and a seller are played here.

import { Orders, Shop, type Order } from "./shop.js";
import { Wallet } from "./wallet.js";

const gateway = process.env.ESCROW_GATEWAY ?? "http://127.0.0.1:8080";
const node = process.env.ESCROW_URL ?? "http://127.0.0.1:8899";
const key = process.env.ESCROW_KEY ?? fail("ESCROW_KEY is missing: escrow-gateway key create …");
const [id = "order-1", flag, moment] = process.argv.slice(2);

function fail(text: string): never {
  console.error(text);
  process.exit(2);
}

const orders = new Orders("orders");
const order = orders.load(id);
const shop = new Shop(gateway, key, orders, (passed) => {
  // As a crash would: nothing is tidied up.
  if (flag === "--die-at" && moment === passed) {
    console.log(`killed at "${passed}"`);
    process.kill(process.pid, "SIGKILL");
  }
});

async function rpc(method: string, params: unknown[]): Promise<any> {
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });
  const answer = await fetch(node, { method: "POST", headers: { "content-type": "application/json" }, body });
  return ((await answer.json()) as any).result;
}

// A customer with play money; on a cluster people have their own.
async function customer(order: Order, name: string): Promise<Wallet> {
  const kept = order.wallets[name];
  const wallet = kept ? Wallet.open(kept) : Wallet.create();
  order.wallets[name] = wallet.keep();
  orders.save(order);
  const balance = async () => (await rpc("getBalance", [wallet.address, { commitment: "finalized" }])).value;
  if ((await balance()) === 0) await rpc("requestAirdrop", [wallet.address, 5_000_000_000]);
  while ((await balance()) === 0) await new Promise((resolve) => setTimeout(resolve, 200));
  return wallet;
}

const [buyer, seller] = [await customer(order, "buyer"), await customer(order, "seller")];
const deliverBy = Math.floor(Date.now() / 1000) + 14 * 24 * 60 * 60;
const told = await shop.agree(order, {
  buyer: buyer.address,
  seller: seller.address,
  milestones: [{ amount: "1500000000", deliver_by: deliverBy }],
});
console.log(`${id}: ${told.escrow.principal.text}, escrow ${told.address}`);
for (const warning of told.warnings) console.log(`  note: ${warning}`);

const escrow = told.address;
await shop.step(order, "funded", buyer.address, [{ type: "create", terms: told.terms, fund: true }], (tx) => buyer.sign(tx));
// Final: only now the goods leave.
const funded = await shop.escrow(escrow);
if (funded.escrow.terms_hash !== told.terms_hash) throw new Error("these are not the terms that were agreed on");
for (const { text } of funded.if_nobody_acts) console.log(`  ${text}`);
await shop.step(order, "delivered", seller.address, [{ type: "deliver", escrow, milestone: 1 }], (tx) => seller.sign(tx));
await shop.step(order, "paid", buyer.address, [{ type: "release", escrow, milestone: 1 }, { type: "pay_out", escrow }], (tx) => buyer.sign(tx));
const paid = await shop.escrow(escrow);
if (paid.escrow.status !== "settled" || paid.escrow.due.length > 0) throw new Error(`${id} is not paid`);
console.log(`${id}: the seller has ${paid.escrow.released.text}`);
