// Generates the TypeScript client from the interface of the program into generated/.
//
// The interface is used as it is. What it cannot say is added here, as whoever generates a client of their own may:
// where the accounts are, and how events are read from a transaction's log.

import { readFile } from 'node:fs/promises';

import {
    constantPdaSeedNodeFromBytes,
    definedTypeNode,
    bytesTypeNode,
    fixedSizeTypeNode,
    pdaNode,
    publicKeyTypeNode,
    variablePdaSeedNode,
} from '@codama/nodes';
import { rootNodeFromAnchorWithoutDefaultVisitor } from '@codama/nodes-from-anchor';
import { renderVisitor } from '@codama/renderers-js';
import { rootNodeVisitor, transformU8ArraysToBytesVisitor, visit } from '@codama/visitors';

const folder = new URL('./', import.meta.url).pathname;
const idl = JSON.parse(await readFile(new URL('../escrow.json', import.meta.url), 'utf8'));

/** A constant of bytes, as a seed. */
function seed(name) {
    const constant = idl.constants.find(constant => constant.name === name);
    return constantPdaSeedNodeFromBytes('base16', Buffer.from(JSON.parse(constant.value)).toString('hex'));
}

const addAddressesAndEvents = rootNodeVisitor(root => ({
    ...root,
    program: {
        ...root.program,
        // findEscrowPda and findVaultPda. Not as defaults of the accounts: an escrow of SOL must be given no vault.
        pdas: [
            pdaNode({
                name: 'escrow',
                seeds: [seed('ESCROW_SEED'), variablePdaSeedNode('termsHash', fixedSizeTypeNode(bytesTypeNode(), 32))],
            }),
            pdaNode({ name: 'vault', seeds: [seed('VAULT_SEED'), variablePdaSeedNode('escrow', publicKeyTypeNode())] }),
        ],
        // Their token accounts stand at the end: for SOL they are left out, which costs less than a placeholder for each.
        instructions: root.program.instructions.map(instruction =>
            ['fund', 'withdraw'].includes(instruction.name)
                ? { ...instruction, optionalAccountStrategy: 'omitted' }
                : instruction,
        ),
        // getReleasedEventDecoder and so on, which check the discriminator. The renderer leaves events out.
        definedTypes: [
            ...root.program.definedTypes,
            ...root.program.events.map(event => definedTypeNode({ name: `${event.name}Event`, type: event.data })),
        ],
    },
}));

// Without the default visitor, which would take the terms of `create` apart into single arguments.
const visitors = [addAddressesAndEvents, transformU8ArraysToBytesVisitor()];
const root = visitors.reduce((node, visitor) => visit(node, visitor), rootNodeFromAnchorWithoutDefaultVisitor(idl));
await visit(
    root,
    renderVisitor(folder, {
        formatCode: false,
        generatedFolder: 'generated',
        kitImportStrategy: 'rootOnly',
        syncPackageJson: false,
    }),
);
