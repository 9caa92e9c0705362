#!/usr/bin/env node
// Puts `Requester` on a chain, has it ask for one run of a program, and waits until the chain has called it back.
// Then it looks where the money went, coin by coin. Ends with 0 if there is a result and the money adds up.

import { readFile, readdir } from "node:fs/promises";
import { parseArgs } from "node:util";

import { Keyring } from "@polkadot/keyring";
import { JsonRpcError, LegacyClient, WsProvider } from "dedot";
import {
  decodeErrorResult,
  decodeEventLog,
  decodeFunctionResult,
  encodeDeployData,
  encodeFunctionData,
  hexToString,
  toHex,
} from "viem";

const USAGE = `usage: node ask.mjs --program DIGEST [OPTIONS]
       node ask.mjs --contract ADDRESS [OPTIONS]

  --program    the program's BLAKE3 digest: \`opensky deploy\` prints it
  --contract   a contract that is there, to go on with: it knows its program, and has its money
  --input      what it is given [default: world]
  --chain      where the chain answers [default: ws://127.0.0.1:9944]
  --contracts  where the bytecode is: \`cargo xtask contracts\` prints it [default: build]
  --key        who pays, as tools of Substrate write it [default: //Alice, whose key everybody knows]
  --withdraw   in the end, take back what the contract has left
  --help       print this`;

// The chain's coin has 12 digits, and contracts count in 18.
const SKY = 10n ** 12n;
const WEI = 10n ** 6n;
// What people call amounts of the coin, and how many digits each has after the point.
const UNITS = Object.entries({ SKY: 12, mSKY: 9, µSKY: 6, nSKY: 3, pSKY: 0 });
// What the contract gets, and the most of it that one request may cost.
const VALUE = 20n * SKY;
const PRICE = SKY;
// What a transaction may use of a block: what it does not use is not paid.
const LIMIT = { refTime: 500_000_000_000n, proofSize: 2n << 20n };
const DEPOSIT = 10n * SKY;
// How long to wait for anything, and how often to look, in milliseconds.
const PATIENCE = 300_000;
const LOOK = 250;
// For how long one question may stay without an answer.
const TIMEOUT = 10_000;
// Who tells a contract what became of its request: the same as in IOpenSky.sol, which also says what these are.
const OPENSKY = "0x00000000000000000000000000000000534b0000";
// The digest of no bytes.
const NOTHING = "0xaf1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";
// Why a request is refused that may be taken a little later.
const SOON = ["TooFew", "Unpinned"];
const STATUS = {
  0: "ok",
  1: "an error of the program",
  2: "out of fuel",
  3: "panic",
  4: "trap",
  5: "limit",
  64: "no answer before the deadline",
  65: "too few operators who offer that",
  66: "too few operators with the same result",
  67: "quarantine",
};

// A connection that asks again what was not answered, as long as the chain is away. What it refuses is an error.
class Patient extends WsProvider {
  async send(method, params) {
    for (const until = Date.now() + PATIENCE; ; await pause()) {
      try {
        return await within(TIMEOUT, super.send(method, params));
      } catch (error) {
        if (error instanceof JsonRpcError) throw new Error(`the chain refuses: ${error.data ?? error.message}`);
        if (Date.now() > until) throw error;
        note("waits: the chain is away");
      }
    }
  }
}

const args = read();
let abi, bytecode, owner, client, noted;
try {
  ({ abi, bytecode } = await compiled("Requester"));
  owner = new Keyring({ type: "ed25519" }).addFromUri(args.key);
  client = await connected();
  await main();
} catch (error) {
  console.error(`error: ${error.message ?? `${args.chain} does not answer`}`);
  process.exitCode = 1;
}
// Whatever is still waited for, a chain that is away too, has no part in what came out.
process.exit();

async function connected() {
  // It has to be there when this begins. Later it may go away for a while.
  const once = new WsProvider({ endpoint: args.chain, retryDelayMs: 0 });
  await (await once.connect()).disconnect();
  return LegacyClient.new(new Patient(args.chain));
}

function read() {
  const text = (value) => ({ type: "string", default: value });
  const options = {
    program: text(undefined),
    contract: text(undefined),
    input: text("world"),
    chain: text("ws://127.0.0.1:9944"),
    contracts: text("build"),
    key: text("//Alice"),
    withdraw: { type: "boolean" },
    help: { type: "boolean", short: "h" },
  };
  try {
    const { values } = parseArgs({ options });
    if (values.help) {
      console.log(USAGE);
      process.exit();
    }
    const { program, contract } = values;
    if ((program === undefined) === (contract === undefined)) throw new Error("either --program or --contract");
    if (program && !/^[0-9a-f]{64}$/.test(program)) throw new Error(`no digest: ${program}`);
    if (contract && !/^0x[0-9a-fA-F]{40}$/.test(contract)) throw new Error(`no address: ${contract}`);
    return values;
  } catch (error) {
    console.error(`error: ${error.message}\n\n${USAGE}`);
    process.exit(2);
  }
}

async function main() {
  const program = args.contract ? await view(args.contract, "program") : `0x${args.program}`;
  await pinned(program);
  const address = args.contract ?? (await deploy(program));
  say("contract", address);
  const { id, block } = await ask(address);
  say("asks", `${program.slice(2)}, given ${JSON.stringify(args.input)}`);
  say("request", id);

  const contract = await account(address);
  const { number } = await client.rpc.chain_getHeader(block);
  const told = await answer(id, contract, number);
  told.seated.forEach((operator) => say("operator", operator));
  if (await view(address, "isOpen", [id])) throw new Error("the contract failed when it was called back");
  const result = await view(address, "result", [id]);
  const words = STATUS[result.status];
  say("answer", `${words}, ${told.number - number} blocks later`);
  const isElsewhere = result.output === "0x" && result.digest !== NOTHING;
  say("output", isElsewhere ? `too long for a chain: ${result.digest}` : JSON.stringify(hexToString(result.output)));
  say("fuel", result.fuel);
  told.paid.forEach(({ operator, amount }) => say("paid", `${money(amount)} to ${operator}`));
  say("callback", `${money(told.fee)} for its gas`);

  const [before, after] = await Promise.all([balance(contract, block), balance(contract, told.block)]);
  const spent = told.paid.reduce((sum, { amount }) => sum + amount, told.fee);
  say("left", `${money(after)} of ${money(before)}`);
  if (args.withdraw) say("back", money(await withdraw(address, contract)));
  if (result.status !== 0) throw new Error(`there is no output: ${words}`);
  if (before - after !== spent) throw new Error(`${before - after} pSKY are gone, and ${spent} were paid`);
}

// Fails if who pays has not what the contract is to get. A little more is needed for the fees.
async function funded() {
  const { data } = await client.query.system.account(owner.address);
  if (data.free > VALUE) return;
  const who = `${args.key}, the ed25519 account ${toHex(owner.publicKey)},`;
  throw new Error(`${who} has ${money(data.free)}, and has to have more than ${money(VALUE)}: see README.md`);
}

// Waits until somebody keeps the program at hand. Before that nothing is paid.
async function pinned(program) {
  await eventually(`no operator keeps ${program} at hand`, async () => {
    if ((await client.query.offers.holders(program)).length > 0) return true;
    note("waits: no operator has told the chain that it keeps the program (`opensky deploy` asks them to)");
  });
}

// Puts the contract on the chain, and answers its address.
async function deploy(program) {
  await funded();
  const code = encodeDeployData({ abi, bytecode, args: [program] });
  const { events } = await send(client.tx.revive.instantiateWithCode(VALUE, LIMIT, DEPOSIT, code, "0x", undefined));
  return client.events.revive.Instantiated.find(events).palletEvent.data.contract;
}

// Has the contract ask, and answers the request's name and the block.
async function ask(contract) {
  const question = { functionName: "ask", args: [toHex(args.input), PRICE * WEI] };
  // Whoever has only just started has not told the chain yet what it offers.
  await eventually("the contract cannot ask", async () => {
    const reason = await refused(contract, question);
    if (reason === undefined) return true;
    if (!SOON.includes(reason)) throw new Error(`the contract cannot ask: ${reason}`);
    note(`waits: ${reason}`);
  });
  const { events, block } = await call(contract, question);
  const asked = client.events.revive.ContractEmitted.find(events).palletEvent.data;
  return { id: decodeEventLog({ abi, topics: asked.topics, data: asked.data }).args.id, block };
}

// Has the contract give back what is not set aside, and answers how much that was.
async function withdraw(address, contract) {
  const { block } = await call(address, { functionName: "withdraw" });
  const { parentHash } = await client.rpc.chain_getHeader(block);
  return (await balance(contract, parentHash)) - (await balance(contract, block));
}

// Reads the blocks from that one on until the request is over and its contract was told.
async function answer(id, contract, number) {
  const told = { seated: [], paid: [], fee: 0n };
  const purse = await account(OPENSKY);
  return eventually("nothing came back", async () => {
    const next = await happened(number);
    if (next === undefined) return undefined;
    // What it takes to tell a contract is paid right before the chain says that it was told.
    let fee = 0n;
    for (const { pallet, palletEvent } of next.events) {
      const { name, data } = palletEvent;
      if (pallet === "Balances" && name === "Transfer") {
        if (data.from.eq(purse) && !data.to.eq(contract)) fee += data.amount;
      } else if (pallet === "Requests" && data.request === id) {
        if (name === "Seated") told.seated.push(...data.operators.map((operator) => operator.raw));
        if (name === "Paid") told.paid.push({ operator: data.operator.raw, amount: data.amount });
        if (name === "Told") return { ...told, fee, number, block: next.block };
      } else if (pallet === "Requests" && name === "Told") {
        fee = 0n;
      }
    }
    number += 1;
  });
}

// Puts a transaction into a block that will not be undone, and answers that block and what the transaction did.
async function send(transaction) {
  const nonce = await client.rpc.system_accountNextIndex(owner.address);
  await transaction.sign(owner, { nonce });
  const bytes = transaction.toHex();
  const isUnknown = async () => (await client.rpc.system_accountNextIndex(owner.address)) === nonce;
  let number;
  const { block, events } = await eventually("the chain does not say what became of a transaction", async () => {
    // Its next number tells also what waits for a block. A chain that was killed has forgotten that: the same bytes
    // are sent again, which count only once.
    if (number === undefined || (await isUnknown())) {
      if (number !== undefined) note("the chain has forgotten the transaction: it is sent again");
      ({ number } = await finished());
      await client.rpc.author_submitExtrinsic(bytes).catch(async (error) => {
        if (await isUnknown()) throw error;
      });
    }
    const next = await happened(number, bytes);
    number += next === undefined ? 0 : 1;
    return next?.events.length > 0 ? next : undefined;
  });
  const failed = events.find(({ palletEvent }) => palletEvent.name === "ExtrinsicFailed");
  if (failed === undefined) return { block, events };
  const { dispatchError } = failed.palletEvent.data;
  const error = client.registry.findErrorMeta(dispatchError);
  throw new Error(error ? `${error.pallet}: ${error.name}` : JSON.stringify(dispatchError));
}

// Calls a contract.
function call(contract, call) {
  const data = encodeFunctionData({ abi, ...call });
  return send(client.tx.revive.call(contract, 0n, LIMIT, DEPOSIT, data));
}

// Why a call would fail now, if it would.
async function refused(contract, call) {
  const { result } = await dryRun(contract, call);
  if (result.isErr) return JSON.stringify(result.err);
  const { flags, data } = result.value;
  if ((flags.bits & 1) === 0) return undefined;
  const { errorName, args } = decodeErrorResult({ abi, data });
  return errorName === "Error" ? args[0] : errorName;
}

// What a view returns.
async function view(contract, functionName, args) {
  const { result } = await dryRun(contract, { functionName, args });
  if (result.isErr || result.value.data === "0x") throw new Error(`${contract} is no contract of this example`);
  return decodeFunctionResult({ abi, functionName, data: result.value.data });
}

function dryRun(contract, call) {
  const data = encodeFunctionData({ abi, ...call });
  return client.call.reviveApi.call(owner.address, contract, 0n, undefined, undefined, data);
}

// Where an address has its money.
function account(address) {
  return client.call.reviveApi.accountId(address);
}

// All that it has, what is set aside too, after that block.
async function balance(account, block) {
  const { data } = await (await client.at(block)).query.system.account(account);
  return data.free + data.reserved;
}

// The newest block that is final.
async function finished() {
  return client.rpc.chain_getHeader(await client.rpc.chain_getFinalizedHead());
}

// What happened in a block, once that is final: all of it, or what one transaction did there.
async function happened(number, transaction) {
  if ((await finished()).number < number) return undefined;
  const block = await client.rpc.chain_getBlockHash(number);
  const events = await (await client.at(block)).query.system.events();
  if (transaction === undefined) return { block, events: events.map(({ event }) => event) };
  const at = (await client.rpc.chain_getBlock(block)).block.extrinsics.indexOf(transaction);
  const own = events.filter(({ phase }) => phase.type === "ApplyExtrinsic" && phase.value === at);
  return { block, events: own.map(({ event }) => event) };
}

// Names of folders that were compiled with it may stand before the contract's own.
async function compiled(contract) {
  const files = await readdir(args.contracts).catch(() => []);
  const read = (kind) => {
    const file = files.find((file) => file.endsWith(`${contract}_sol_${contract}.${kind}`));
    const missing = `there is no ${contract}.${kind} in ${args.contracts}: \`npm run build\` puts it into build`;
    if (file === undefined) throw new Error(missing);
    return readFile(`${args.contracts}/${file}`, "utf8");
  };
  return { abi: JSON.parse(await read("abi")), bytecode: `0x${await read("bin")}` };
}

// Looks until there is something.
async function eventually(failure, look) {
  for (const until = Date.now() + PATIENCE; Date.now() < until; await pause()) {
    const found = await look();
    if (found !== undefined) return found;
  }
  throw new Error(`${failure} within ${PATIENCE / 1000} s`);
}

function within(time, promise) {
  const late = new Error(`there is no answer within ${time / 1000} s`);
  return Promise.race([promise, new Promise((_, reject) => setTimeout(reject, time, late).unref())]);
}

function pause() {
  return new Promise((resolve) => setTimeout(resolve, LOOK));
}

// An amount as `opensky` writes it: exactly, in the largest unit that leaves something before the point.
function money(amount) {
  const [unit, places] = UNITS.find(([, places]) => amount >= 10n ** BigInt(places)) ?? UNITS[0];
  const digits = amount.toString().padStart(places + 1, "0");
  const [whole, rest] = [digits.slice(0, digits.length - places), digits.slice(digits.length - places)];
  return `${`${whole}.${rest}`.replace(/\.?0*$/, "")} ${unit}`;
}

// What is good to know while one waits, once.
function note(what) {
  if (what !== noted) console.error(`  ${what}`);
  noted = what;
}

function say(what, value) {
  console.log(`  ${what.padEnd(11)}${value}`);
}
