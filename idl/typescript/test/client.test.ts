// Holds the generated client against what the program wrote and what the Rust client builds (fixtures.json).

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { address, createNoopSigner, type Address, type Instruction } from '@solana/kit';

import {
    ESCROW_DISCRIMINATOR,
    ESCROW_ERROR__NOT_ARBITER,
    ESCROW_PROGRAM_ADDRESS,
    findEscrowPda,
    findVaultPda,
    getCreateInstruction,
    getEscrowDecoder,
    getEscrowEncoder,
    getEscrowErrorMessage,
    getFundInstruction,
    getProposeInstruction,
    getReleasedEventDecoder,
    getTermsEncoder,
    getWithdrawInstruction,
    MilestoneStatus,
    parseCreateInstruction,
    proposal,
    Recipient,
    type TermsArgs,
} from '../generated';

// From build/test/, where the compiled test runs.
const root = join(__dirname, '../..');
const idl = JSON.parse(readFileSync(join(root, '../escrow.json'), 'utf8'));
const fixtures = JSON.parse(readFileSync(join(root, 'fixtures.json'), 'utf8'));

const bytes = (hex: string) => new Uint8Array(Buffer.from(hex, 'hex'));

/** As in the fixtures: numbers of 64 bits in decimal, bytes in hex. */
function plain(value: unknown): unknown {
    if (typeof value === 'bigint') return value.toString();
    if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
    if (Array.isArray(value)) return value.map(plain);
    if (typeof value === 'object' && value !== null) {
        return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, plain(field)]));
    }
    return value;
}

function plainInstruction(instruction: Instruction): unknown {
    const accounts = instruction.accounts?.map(meta => {
        // A bit for the signature, a bit for writing.
        return { address: meta.address, signer: (meta.role & 2) !== 0, writable: (meta.role & 1) !== 0 };
    });
    return { programAddress: instruction.programAddress, accounts, data: plain(instruction.data) };
}

function readTerms(fixture: any): TermsArgs {
    return {
        ...fixture,
        fundBy: BigInt(fixture.fundBy),
        hashlock: bytes(fixture.hashlock),
        documentHash: bytes(fixture.documentHash),
        salt: bytes(fixture.salt),
        milestones: fixture.milestones.map((milestone: any) => ({
            ...milestone,
            amount: BigInt(milestone.amount),
            deliverBy: BigInt(milestone.deliverBy),
        })),
    };
}

/** The address of the escrow with these terms: what every client must get right. */
async function escrowAddress(terms: TermsArgs): Promise<Address> {
    const constant = idl.constants.find((constant: any) => constant.name === 'TERMS_HASH_PREFIX');
    const hash = createHash('sha256').update(new Uint8Array(JSON.parse(constant.value)));
    const termsHash = hash.update(getTermsEncoder().encode(terms) as Uint8Array).digest();
    const [escrow] = await findEscrowPda({ termsHash: new Uint8Array(termsHash) });
    return escrow;
}

const { account, event, instructions } = fixtures;
const terms = readTerms(fixtures.terms);
const solTerms = readTerms(fixtures.solTerms);
const escrow = address(account.address);

test('an account that the program wrote is decoded, with its milestones', () => {
    assert.equal(account.programAddress, ESCROW_PROGRAM_ADDRESS);
    const { discriminator, milestones, ...fields } = getEscrowDecoder().decode(bytes(account.data));
    assert.deepEqual(discriminator, ESCROW_DISCRIMINATOR);
    assert.equal(milestones.__kind, 'Two');
    assert.deepEqual(plain({ ...fields, milestones: milestones.items }), account.decoded);
});

test('encoded again, it has the same bytes: no field is left out', () => {
    const decoded = getEscrowDecoder().decode(bytes(account.data));
    assert.equal(plain(getEscrowEncoder().encode(decoded)), account.data);
});

test('an event is decoded from the log', () => {
    const data = new Uint8Array(Buffer.from(event.data, 'base64'));
    assert.deepEqual(plain(getReleasedEventDecoder().decode(data)), event.decoded);
    const other = data.map((byte, index) => (index === 0 ? byte ^ 1 : byte));
    assert.throws(() => getReleasedEventDecoder().decode(other));
});

test('the addresses follow from the terms', async () => {
    assert.equal(await escrowAddress(terms), escrow);
    assert.equal(await escrowAddress(solTerms), fixtures.solEscrow);
    const [vault] = await findVaultPda({ escrow });
    assert.equal(vault, account.decoded.vault);
});

test('create is built as by the Rust client', async () => {
    const [vault] = await findVaultPda({ escrow });
    const instruction = getCreateInstruction({
        rentPayer: createNoopSigner(address(fixtures.rentPayer)),
        escrow,
        vault,
        mint: terms.mint,
        tokenProgram: terms.tokenProgram,
        terms,
    });
    assert.deepEqual(plainInstruction(instruction), instructions.create);
    assert.deepEqual(plain(parseCreateInstruction(instruction).data.terms), fixtures.terms);
});

test('fund is built as by the Rust client, with and without token accounts', async () => {
    const [vault] = await findVaultPda({ escrow });
    const token = getFundInstruction({
        escrow,
        buyer: createNoopSigner(terms.buyer),
        buyerToken: address(instructions.fundToken.accounts[3].address),
        vault,
        mint: terms.mint,
        tokenProgram: terms.tokenProgram,
    });
    assert.deepEqual(plainInstruction(token), instructions.fundToken);
    const sol = getFundInstruction({ escrow: address(fixtures.solEscrow), buyer: createNoopSigner(solTerms.buyer) });
    assert.deepEqual(plainInstruction(sol), instructions.fundSol);
});

test('propose is built as by the Rust client: an enum with fields', () => {
    const { sellerProposal } = account.decoded;
    const instruction = getProposeInstruction({
        escrow,
        proposer: createNoopSigner(terms.seller),
        proposal: proposal('Split', {
            milestone: sellerProposal.milestone,
            status: sellerProposal.status as MilestoneStatus,
            remaining: BigInt(sellerProposal.remaining),
            toSeller: BigInt(sellerProposal.toSeller),
            expiresAt: BigInt(sellerProposal.expiresAt),
        }),
    });
    assert.deepEqual(plainInstruction(instruction), instructions.propose);
});

test('withdraw is built as by the Rust client: an enum without fields', async () => {
    const [vault] = await findVaultPda({ escrow });
    const instruction = getWithdrawInstruction({
        escrow,
        recipient: terms.feeRecipient,
        recipientToken: address(instructions.withdraw.accounts[2].address),
        vault,
        mint: terms.mint,
        tokenProgram: terms.tokenProgram,
        recipientArg: Recipient.Fee,
    });
    assert.deepEqual(plainInstruction(instruction), instructions.withdraw);
});

test('errors have their numbers and messages', () => {
    assert.equal(ESCROW_ERROR__NOT_ARBITER, 6043);
    assert.equal(getEscrowErrorMessage(ESCROW_ERROR__NOT_ARBITER), 'Only the arbiter of this escrow may rule.');
});
