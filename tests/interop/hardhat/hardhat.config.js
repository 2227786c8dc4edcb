import networkHelpers from "@nomicfoundation/hardhat-network-helpers";

export default {
  plugins: [networkHelpers],
  networks: { devnet: { type: "http", chainType: "generic", url: process.env.DEVNET_URL } },
};
