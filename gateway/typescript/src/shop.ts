// What a back end needs: build, have it signed, submit, and know what became of it, however often it is killed.

import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import createClient, { type Client } from "openapi-fetch";

import type { components, paths } from "../generated/gateway.js";

export type Terms = components["schemas"]["Terms"];
export type Action = components["schemas"]["Action"];
export type Answer = components["schemas"]["TransactionAnswer"];

// What is known of an order: written before it is acted on, and whole or not at all.
export interface Order {
  id: string;
  terms?: Terms;
  escrow?: string;
  // By step: how often it was prepared, and the transaction that was prepared last.
  steps: Record<string, { attempt: number; transaction?: string; done?: boolean }>;
  wallets: Record<string, string>;
}

export class Orders {
  constructor(private readonly folder: string) {
    mkdirSync(folder, { recursive: true });
  }

  load(id: string): Order {
    try {
      return JSON.parse(readFileSync(this.path(id), "utf8"));
    } catch {
      return { id, steps: {}, wallets: {} };
    }
  }

  save(order: Order): void {
    const path = this.path(order.id);
    writeFileSync(`${path}.next`, JSON.stringify(order, null, 2), { mode: 0o600 });
    renameSync(`${path}.next`, path);
  }

  private path(id: string): string {
    return `${this.folder}/${id}.json`;
  }
}

export class Shop {
  private readonly client: Client<paths>;

  constructor(
    url: string,
    key: string,
    private readonly orders: Orders,
    private readonly passed: (moment: string) => void,
  ) {
    this.client = createClient<paths>({ baseUrl: url, headers: { authorization: `Bearer ${key}` } });
  }

  // The complete terms and the address that follows from them.
  async agree(order: Order, terms: Terms): Promise<components["schemas"]["TermsTold"]> {
    const { data, error } = await this.client.POST("/v1/terms", { body: { terms: order.terms ?? terms } });
    if (!data) throw new Error(`terms: ${JSON.stringify(error)}`);
    order.terms = data.terms;
    order.escrow = data.address;
    this.orders.save(order);
    return data;
  }

  // Has one step of an order executed, and returns when it is final. Killed anywhere, the same call goes on: what was submitted
  // is asked for, and only what has expired, or failed, is prepared anew.
  async step(order: Order, name: string, feePayer: string, actions: Action[], sign: (transaction: string) => string) {
    const step = (order.steps[name] ??= { attempt: 0 });
    while (!step.done) {
      this.orders.save(order);
      // The same key: the same transaction, if the answer was lost.
      const { data: prepared, error } = await this.client.POST("/v1/transactions", {
        params: { header: { "Idempotency-Key": `${order.id}/${name}/${step.attempt}` } },
        body: { actions, fee_payer: feePayer },
      });
      if (!prepared) throw new Error(`${name}: ${error && "detail" in error ? error.detail : JSON.stringify(error)}`);
      step.transaction = prepared.id;
      this.orders.save(order);
      this.passed(`${name}: prepared`);
      for (const { text } of prepared.steps) console.log(`  ${name}: ${text}`);
      let answer = await this.status(prepared.id);
      if (answer.status === "prepared") {
        const { data, error } = await this.client.PUT("/v1/transactions/{id}/signed", {
          params: { path: { id: prepared.id } },
          body: { transaction: sign(prepared.transaction) },
        });
        if (!data) throw new Error(`${name}: ${error && "detail" in error ? error.detail : JSON.stringify(error)}`);
        answer = data;
        this.passed(`${name}: submitted`);
      }
      while (!["finalized", "failed", "expired"].includes(answer.status)) answer = await this.status(prepared.id, 10);
      if (answer.status === "finalized") step.done = true;
      else if (answer.status === "failed") throw new Error(`${name}: ${answer.failure?.text}`);
      else step.attempt += 1;
      this.orders.save(order);
    }
    this.passed(name);
  }

  async escrow(address: string): Promise<components["schemas"]["EscrowAnswer"]> {
    const { data, error } = await this.client.GET("/v1/escrows/{address}", {
      params: { path: { address }, query: { finality: "finalized" } },
    });
    if (!data) throw new Error(`escrow: ${JSON.stringify(error)}`);
    return data;
  }

  private async status(id: string, seconds = 0): Promise<Answer> {
    const { data, error } = await this.client.GET("/v1/transactions/{id}", {
      params: { path: { id }, header: seconds ? { Prefer: `wait=${seconds}` } : {} },
    });
    if (!data) throw new Error(`status: ${JSON.stringify(error)}`);
    return data;
  }
}
