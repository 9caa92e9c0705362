// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IOpenSkyReceiver, Limits, OPENSKY} from "examples/contract-request/IOpenSky.sol";

/// How a contract ends itself here at any time: `selfdestruct` does so only in the transaction that created it.
interface ISystem {
    function terminate(address beneficiary) external;
}

/// Asks for whatever it is told to, and writes down how often it was called back and why it was refused.
contract Asker is IOpenSkyReceiver {
    uint256 public calls;
    bytes32 public last;
    string public reason;

    constructor() payable {}

    receive() external payable {}

    function ask(bytes32 program, uint256 input, uint8 replicas, uint256 maxPrice, uint64 deadline, uint64 gas_) public {
        Limits memory limits = Limits(1_000_000_000, 1 << 20, 1 << 10, 0);
        try OPENSKY.request(program, new bytes(input), limits, replicas, maxPrice, deadline, gas_) returns (bytes32 id) {
            last = id;
            reason = "";
        } catch Error(string memory why) {
            reason = why;
        }
    }

    function onResult(bytes32, uint8, bytes calldata, bytes32, uint64) external {
        calls += 1;
        called();
    }

    function called() internal virtual {}
}

contract Reverting is Asker {
    function called() internal pure override {
        revert("no");
    }
}

contract Panicking is Asker {
    function called() internal pure override {
        assert(false);
    }
}

contract Trapping is Asker {
    function called() internal pure override {
        assembly {
            invalid()
        }
    }
}

contract Endless is Asker {
    function called() internal override {
        while (true) {
            calls += 1;
        }
    }
}

/// Stores until nothing is left to pay for it.
contract Hoarding is Asker {
    mapping(uint256 => uint256) private heap;

    function called() internal override {
        for (uint256 i = 0; ; i++) {
            heap[i] = 1;
        }
    }
}

/// Gets the deposits of what it has stored before.
contract Freeing is Asker {
    uint256[16] private heap;

    constructor() payable {
        for (uint256 i = 0; i < heap.length; i++) heap[i] = 1;
    }

    function called() internal override {
        for (uint256 i = 0; i < heap.length; i++) delete heap[i];
    }
}

/// Answers with more than anybody wants to read.
contract Shouting is Asker {
    function called() internal pure override {
        assembly {
            return(0, 131072)
        }
    }
}

contract Recursive is Asker {
    function called() internal override {
        this.onResult(0, 0, "", 0, 0);
    }
}

/// Ends itself.
contract Ending is Asker {
    function called() internal override {
        ISystem(address(0x900)).terminate(address(OPENSKY));
    }
}

/// Asks again from inside, and then calls the chain as if it was itself.
contract Reentering is Asker {
    bool public isAnswered;

    function called() internal override {
        ask(bytes32(uint256(1)), 0, 1, 1e15, uint64(block.timestamp + 10 minutes), 300_000);
        (isAnswered, ) = address(OPENSKY).call(abi.encodeCall(IOpenSkyReceiver.onResult, (0, 0, "", 0, 0)));
    }
}

/// Asks in other ways than by a plain call.
contract Odd {
    bool public isDone;
    bytes public answer;

    constructor() payable {}

    function delegate(bytes calldata data) external {
        (isDone, answer) = address(OPENSKY).delegatecall(data);
    }

    function look(bytes calldata data) external {
        (isDone, answer) = address(OPENSKY).staticcall(data);
    }

    function pay(bytes calldata data, uint256 value) external {
        (isDone, answer) = address(OPENSKY).call{value: value}(data);
    }
}

/// Asks, and is gone before it is answered: what is created and ended in one transaction leaves nothing behind.
contract Nest {
    address public child;

    constructor() payable {}

    function hatch(bytes32 program, uint256 maxPrice) external {
        Asker asker = new Mayfly{value: address(this).balance}();
        child = address(asker);
        asker.ask(program, 0, 1, maxPrice, uint64(block.timestamp + 10 minutes), 300_000);
        Mayfly(payable(child)).end();
    }
}

contract Mayfly is Asker {
    constructor() payable {}

    function end() external {
        ISystem(address(0x900)).terminate(msg.sender);
    }
}
