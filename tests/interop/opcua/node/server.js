/**
 * An OPC UA server made of node-opcua, for the tests of weir-opcua.
 *
 * Usage: NODE_PATH=folder/node_modules node server.js --port PORT --dir DIR
 *
 * It prints one line of JSON when it listens, {"port", "thumbprint"}, then reads one command a line and answers
 * each with one line of JSON:
 *
 *   {"do": "write", "node": n, "value": v}   gives a variable a value
 *   {"do": "read", "node": n}                what a variable holds
 *   {"do": "trust", "on": b}                 whether unknown clients are trusted from now on
 *
 * Its limits are small, so that everything goes in many small requests. It ends when its input does.
 */
"use strict";

const crypto = require("crypto");
const readline = require("readline");
const opcua = require("node-opcua");

function argument(name, fallback) {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? fallback : process.argv[at + 1];
}

const NAMESPACE = "urn:weir:node-peer";

// Its log goes to the error stream: the output is for lines of JSON.
for (const level of ["log", "info", "warn", "debug"]) {
  console[level] = (...all) => process.stderr.write(`${all.join(" ")}\n`);
}

function tell(json) {
  process.stdout.write(`${JSON.stringify(json)}\n`);
}

async function main() {
  const dir = argument("dir");
  const manager = (name, trusting) =>
    new opcua.OPCUACertificateManager({
      rootFolder: `${dir}/${name}`,
      automaticallyAcceptUnknownCertificate: trusting,
    });
  const serverCertificateManager = manager("pki", true);
  const userCertificateManager = manager("users", true);
  await serverCertificateManager.initialize();
  await userCertificateManager.initialize();
  const server = new opcua.OPCUAServer({
    port: Number(argument("port", "0")),
    hostname: "127.0.0.1",
    host: "127.0.0.1",
    resourcePath: "/node",
    serverInfo: { applicationUri: "urn:weir:node-peer:server" },
    serverCertificateManager,
    userCertificateManager,
    allowAnonymous: true,
    securityModes: [
      opcua.MessageSecurityMode.None,
      opcua.MessageSecurityMode.Sign,
      opcua.MessageSecurityMode.SignAndEncrypt,
    ],
    securityPolicies: [
      opcua.SecurityPolicy.None,
      opcua.SecurityPolicy.Basic256Sha256,
      opcua.SecurityPolicy.Aes128_Sha256_RsaOaep,
      opcua.SecurityPolicy.Aes256_Sha256_RsaPss,
    ],
    userManager: { isValidUser: (user, password) => user === "operator" && password === "s3cret" },
    serverCapabilities: {
      maxBrowseContinuationPoints: 3,
      maxHistoryContinuationPoints: 2,
      maxMonitoredItemsPerSubscription: 1000,
      operationLimits: {
        maxNodesPerRead: 7,
        maxNodesPerBrowse: 5,
        maxNodesPerTranslateBrowsePathsToNodeIds: 4,
        maxMonitoredItemsPerCall: 6,
        maxNodesPerHistoryReadData: 3,
      },
    },
  });
  await server.initialize();
  const space = server.engine.addressSpace;
  const namespace = space.registerNamespace(NAMESPACE);
  const folder = namespace.addFolder("ObjectsFolder", { browseName: "Weir", nodeId: "s=Weir" });
  const nodes = {};
  const add = (name, dataType, value, more = {}) => {
    const { arrayType, ...rest } = more;
    const scalar = opcua.VariantArrayType.Scalar;
    nodes[name] = namespace.addVariable({
      componentOf: folder,
      browseName: name,
      nodeId: `s=${name}`,
      dataType,
      valueRank: arrayType === undefined ? -1 : 1,
      minimumSamplingInterval: 10,
      value: { dataType, value, arrayType: arrayType ?? scalar },
      ...rest,
    });
    return nodes[name];
  };
  const array = { arrayType: opcua.VariantArrayType.Array };
  add("Double", "Double", 1.5);
  add("Int32", "Int32", -7);
  add("UInt64", "UInt64", [1, 2]);
  add("Text", "String", "早班");
  add("Flag", "Boolean", true);
  add("Array", "Int32", new Int32Array([1, 2, 3, 4]), array);
  add("Doubles", "Double", new Float64Array([0.5, 1.5]), array);
  const percent = namespace.addAnalogDataItem({
    componentOf: folder,
    browseName: "Percent",
    nodeId: "s=Percent",
    dataType: "Double",
    engineeringUnitsRange: { low: 0, high: 200 },
    engineeringUnits: opcua.standardUnits.degree_celsius,
    minimumSamplingInterval: 10,
    value: { dataType: "Double", value: 50 },
  });
  nodes.Percent = percent;
  for (const name of ["First", "Second", "Third"]) {
    space.installHistoricalDataNode(add(name, "Double", 0), { maxOnlineValues: 5000 });
  }
  const many = namespace.addFolder(folder, { browseName: "Many", nodeId: "s=Many" });
  for (let i = 0; i < 60; i++) {
    namespace.addVariable({
      componentOf: many,
      browseName: `m${i}`,
      nodeId: `s=m${i}`,
      dataType: "Double",
      value: { dataType: "Double", value: i },
    });
  }
  const method = namespace.addMethod(folder, {
    browseName: "add",
    nodeId: "s=add",
    inputArguments: [
      { name: "a", dataType: opcua.DataType.Int32 },
      { name: "list", dataType: opcua.DataType.Double, valueRank: 1 },
    ],
    outputArguments: [{ name: "sum", dataType: opcua.DataType.Double }],
  });
  method.bindMethod((inputs, _context, done) => done(null, {
    statusCode: opcua.StatusCodes.Good,
    outputArguments: [
      {
        dataType: opcua.DataType.Double,
        value: inputs[0].value + Array.from(inputs[1].value).reduce((a, b) => a + b, 0),
      },
    ],
  }));
  await server.start();
  const port = server.endpoints[0].port;
  const certificate = server.getCertificate();
  tell({ port, thumbprint: crypto.createHash("sha256").update(certificate).digest("hex") });
  const lines = readline.createInterface({ input: process.stdin });
  for await (const line of lines) {
    const command = JSON.parse(line);
    const node = nodes[command.node];
    if (command.do === "write") {
      const held = node.readValue().value;
      node.setValueFromSource({ dataType: held.dataType, arrayType: held.arrayType, value: command.value });
      tell({});
    } else if (command.do === "read") {
      const { value } = node.readValue().value;
      tell({ value: ArrayBuffer.isView(value) ? Array.from(value) : value });
    } else if (command.do === "trust") {
      serverCertificateManager.automaticallyAcceptUnknownCertificate = command.on;
      tell({});
    }
  }
  await server.shutdown(0);
  process.exit(0);
}

main().catch((error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exit(1);
});
