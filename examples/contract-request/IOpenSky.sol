// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

// Where the chain answers for OpenSky: this and nothing else is the `msg.sender` of a callback.
IOpenSky constant OPENSKY = IOpenSky(0x00000000000000000000000000000000534b0000);

// The program returned an output.
uint8 constant OK = 0;
// The program returned an error of its own: the output is that error's canonical bytes.
uint8 constant ERR = 1;
// The program needed more fuel than its limit.
uint8 constant OUT_OF_FUEL = 2;
// The program panicked.
uint8 constant PANIC = 3;
// The program trapped.
uint8 constant TRAP = 4;
// The program went over another limit.
uint8 constant LIMIT = 5;
// From here on there is no result, and the price has gone back. This one: none before the deadline.
uint8 constant DEADLINE = 64;
// There were not enough operators who offer that.
uint8 constant COMMITTEE = 65;
// Too few operators had the same result.
uint8 constant DISAGREEMENT = 66;
// The rules of execution turned out not to be exact.
uint8 constant QUARANTINE = 67;

/// What one run may use.
struct Limits {
    /// Fuel: the deterministic count of work.
    uint64 fuel;
    /// Bytes of linear memory.
    uint64 memoryBytes;
    /// Bytes of all outputs together.
    uint64 outputBytes;
    /// Bytes of log.
    uint64 logBytes;
}

/// Asks the network to run a program. What a contract asks is public, and so is the answer.
interface IOpenSky {
    /// Asks for one run of a program on an input, verified by as many operators as `replicas` says.
    ///
    /// Nothing is sent along: `maxPrice` and the callback's gas are set aside from the caller's own balance, which
    /// falls by them at once, and what is not used goes back to it. A part of `maxPrice` smaller than the chain's
    /// coin, 10^6 wei, is left out.
    ///
    /// When the request is over, the chain calls the caller's `onResult` with `callbackGas`, once, after the operators
    /// are paid: a callback that fails is not repeated, and what it wrote is undone. It pays for all of the call, also
    /// for what is stored in it. With none there is no callback.
    ///
    /// Reverts with `Error(string)`, where the string says why. Numbers are those of a development chain; governance
    /// sets them.
    ///
    /// `NoReplicas`, `TooManyReplicas`: not 1 to 7 operators are asked for
    /// `TooSoon`: the deadline is nearer than two minutes and a second for each 10^9 of fuel
    /// `TooLate`: it is further away than a day
    /// `Price`: less than 10^6 wei for each operator
    /// `Overflow`: more money than there can be
    /// `Input`: it is longer than 16 KiB
    /// `CallbackGas`: it is more than 1,250,000
    /// `Unpinned`: nobody keeps the program at hand until the deadline
    /// `TooFew`: fewer than `replicas` operators offer to run it within these limits for that price
    /// `TooManyOwn`: 64 requests of the caller are open
    /// `TooManyOpen`: 1,024 are, of all together
    /// `Value`: money was sent along
    /// `InCallback`: it was asked inside of a callback
    /// `Funds are unavailable`: the caller has too little money
    ///
    /// @param program the program's BLAKE3 digest
    /// @param input at most 16 KiB
    /// @param limits what the run may use: a program that needs more ends, and is paid
    /// @param replicas how many operators have to have the same result
    /// @param maxPrice the most that all of them together are paid, in wei
    /// @param deadline when the money goes back if there is no answer, in Unix seconds, like `block.timestamp`
    /// @param callbackGas at most 1,250,000
    /// @return id the request's name
    function request(
        bytes32 program,
        bytes calldata input,
        Limits calldata limits,
        uint8 replicas,
        uint256 maxPrice,
        uint64 deadline,
        uint64 callbackGas
    ) external returns (bytes32 id);
}

/// What a contract has that wants to be called back.
interface IOpenSkyReceiver {
    /// Says what became of a request. Anybody can call this: take it from `OPENSKY` only.
    ///
    /// @param id what `request` returned
    /// @param status `OK`, or what else it came to
    /// @param output the output, if it is at most 4 KiB and the only one; nothing otherwise
    /// @param digest the output's BLAKE3 digest, and zero if there is none: a longer output is found by it. Of several
    /// outputs, and of an error longer than that, what the operators' receipts name them by
    /// @param fuel what each operator was paid for
    function onResult(bytes32 id, uint8 status, bytes calldata output, bytes32 digest, uint64 fuel) external;
}
