import networkHelpers from "@nomicfoundation/hardhat-network-helpers";

export default {
  plugins: [networkHelpers],
  networks: { anvil: { type: "http", chainType: "generic", url: process.env.URL } },
};
