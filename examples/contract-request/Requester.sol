// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IOpenSkyReceiver, Limits, OPENSKY} from "./IOpenSky.sol";

/// Asks for runs of one program and keeps what they come to. It pays from its own balance.
contract Requester is IOpenSkyReceiver {
    /// What became of a request.
    struct Result {
        uint8 status;
        uint64 fuel;
        bytes32 digest;
        bytes output;
    }

    /// What is enough to store a result of 32 bytes.
    uint64 public constant CALLBACK_GAS = 300_000;

    /// Who may spend the balance.
    address public immutable owner;
    /// The program.
    bytes32 public immutable program;
    /// Whether a request is open.
    mapping(bytes32 id => bool) public isOpen;
    mapping(bytes32 id => Result) private results;

    event Asked(bytes32 indexed id);
    event Answered(bytes32 indexed id, uint8 status);

    error NotOwner();
    error NotOpenSky();
    error NotAsked(bytes32 id);
    error NotTaken();

    constructor(bytes32 program_) payable {
        owner = msg.sender;
        program = program_;
    }

    /// Takes money for what it asks.
    receive() external payable {}

    /// Asks for a run: three operators have to have the same result within ten minutes.
    function ask(bytes calldata input, uint256 maxPrice) external returns (bytes32 id) {
        if (msg.sender != owner) revert NotOwner();
        Limits memory limits = Limits({
            fuel: 1_000_000_000,
            memoryBytes: 64 << 20,
            outputBytes: 4 << 10,
            logBytes: 4 << 10
        });
        uint64 deadline = uint64(block.timestamp + 10 minutes);
        id = OPENSKY.request(program, input, limits, 3, maxPrice, deadline, CALLBACK_GAS);
        isOpen[id] = true;
        emit Asked(id);
    }

    /// Gives the owner all that is not set aside for a request.
    function withdraw() external {
        if (msg.sender != owner) revert NotOwner();
        (bool isTaken,) = owner.call{value: address(this).balance}("");
        if (!isTaken) revert NotTaken();
    }

    /// The chain's answer.
    function onResult(bytes32 id, uint8 status, bytes calldata output, bytes32 digest, uint64 fuel) external {
        // Anybody can call this function: what strangers say is no result.
        if (msg.sender != address(OPENSKY)) revert NotOpenSky();
        if (!isOpen[id]) revert NotAsked(id);
        delete isOpen[id];
        results[id] = Result({status: status, fuel: fuel, digest: digest, output: output});
        emit Answered(id, status);
    }

    /// What became of a request: `output` if it is small, else `digest` says which bytes it is.
    function result(bytes32 id) external view returns (Result memory) {
        return results[id];
    }
}
