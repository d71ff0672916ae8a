/**
 * An OPC UA client made of node-opcua, driven by JSON lines on its standard input, for the tests of
 * weir-opcua-server. Each answer is one line, with "error" in it where the server refused.
 *
 * Usage: client.js --dir DIR; NODE_PATH names the folder with node-opcua.
 */
"use strict";

const path = require("path");
const readline = require("readline");
const opcua = require("node-opcua");

const directory = process.argv[process.argv.indexOf("--dir") + 1];
// The library writes to the console; the console is the test's.
const answer = process.stdout.write.bind(process.stdout);
process.stdout.write = process.stderr.write.bind(process.stderr);

const peer = { client: null, session: null, subscription: null, values: [] };
const node = (id) => (id.includes("=") ? id : `ns=2;s=${id}`);

function told(value) {
  const plain = value.value ? value.value.value : null;
  return {
    value: ArrayBuffer.isView(plain) ? Array.from(plain) : plain,
    type: value.value ? opcua.DataType[value.value.dataType] : null,
    status: value.statusCode.value,
    time: value.sourceTimestamp ? value.sourceTimestamp.toISOString() : null,
    picoseconds: value.sourcePicoseconds,
  };
}

const commands = {
  async connect({ url, policy = "None", mode = "None", user, password }) {
    const manager = new opcua.OPCUACertificateManager({
      rootFolder: path.join(directory, "pki"),
      automaticallyAcceptUnknownCertificate: true,
    });
    await manager.initialize();
    peer.client = opcua.OPCUAClient.create({
      applicationName: "WeirInterop",
      clientCertificateManager: manager,
      securityPolicy: opcua.SecurityPolicy[policy],
      securityMode: opcua.MessageSecurityMode[mode],
      endpointMustExist: false,
      connectionStrategy: { maxRetry: 0, initialDelay: 100 },
      requestedSessionTimeout: 30000,
      keepSessionAlive: false,
    });
    await peer.client.createDefaultCertificate();
    await peer.client.connect(url);
    const identity = user ? { type: opcua.UserTokenType.UserName, userName: user, password } : undefined;
    peer.session = await peer.client.createSession(identity);
    return { namespaces: await peer.session.readNamespaceArray() };
  },

  async disconnect({ keep = false } = {}) {
    await peer.session.close(!keep);
    await peer.client.disconnect();
    return {};
  },

  async crawl({ start = "ns=2;s=weir" }) {
    const found = [];
    const todo = [start];
    while (todo.length) {
      let result = await peer.session.browse({
        nodeId: todo.pop(),
        referenceTypeId: "HierarchicalReferences",
        includeSubtypes: true,
        browseDirection: opcua.BrowseDirection.Forward,
        nodeClassMask: 0,
        resultMask: 63,
      });
      for (;;) {
        for (const reference of result.references ?? []) {
          const id = reference.nodeId.toString();
          found.push([id, opcua.NodeClass[reference.nodeClass], reference.displayName.text]);
          if (!id.startsWith("ns=3")) todo.push(id);
        }
        if (!result.continuationPoint || !result.continuationPoint.length) break;
        result = await peer.session.browseNext(result.continuationPoint, false);
      }
    }
    return { nodes: found };
  },

  async read({ ids, attribute = "Value" }) {
    const values = await peer.session.read(
      ids.map((id) => ({ nodeId: node(id), attributeId: opcua.AttributeIds[attribute] })),
    );
    return { values: values.map(told) };
  },

  async write({ id, value, type }) {
    const status = await peer.session.write({
      nodeId: node(id),
      attributeId: opcua.AttributeIds.Value,
      value: { value: { dataType: opcua.DataType[type], value } },
    });
    return status.isGood() ? {} : { error: status.name };
  },

  async history({ id, start, end }) {
    const result = await peer.session.readHistoryValue(node(id), new Date(start), new Date(end), {
      numValuesPerNode: 0,
      returnBounds: false,
      timestampsToReturn: opcua.TimestampsToReturn.Both,
    });
    if (result.statusCode.isNot(opcua.StatusCodes.Good)) return { error: result.statusCode.name };
    return {
      values: result.historyData.dataValues.map(told),
      more: Boolean(result.continuationPoint && result.continuationPoint.length),
    };
  },

  async translate({ path: relative }) {
    const result = await peer.session.translateBrowsePath(
      opcua.makeBrowsePath("ObjectsFolder", relative),
    );
    if (result.statusCode.isNot(opcua.StatusCodes.Good)) return { error: result.statusCode.name };
    return { ids: result.targets.map((target) => target.targetId.toString()) };
  },

  async subscribe({ ids, sampling = -1, queue = 100, filter, period = 100 }) {
    peer.subscription ??= await peer.session.createSubscription2({
      requestedPublishingInterval: period,
      requestedLifetimeCount: 600,
      requestedMaxKeepAliveCount: 10,
      maxNotificationsPerPublish: 0,
      publishingEnabled: true,
      priority: 1,
    });
    const group = await peer.subscription.monitorItems(
      ids.map((id) => ({ nodeId: node(id), attributeId: opcua.AttributeIds.Value })),
      {
        samplingInterval: sampling,
        queueSize: queue,
        discardOldest: true,
        filter: filter && new opcua.DataChangeFilter({
          trigger: opcua.DataChangeTrigger.StatusValue,
          deadbandType: opcua.DeadbandType[filter[0]],
          deadbandValue: filter[1],
        }),
      },
      opcua.TimestampsToReturn.Both,
    );
    group.on("changed", (item, value) => {
      peer.values.push([item.itemToMonitor.nodeId.value, told(value)]);
    });
    const failed = group.monitoredItems.filter((item) => item.statusCode.isNot(opcua.StatusCodes.Good));
    return { id: peer.subscription.subscriptionId, failed: failed.map((item) => item.statusCode.name) };
  },

  async notifications({ count, seconds = 30 }) {
    const end = Date.now() + seconds * 1000;
    while (peer.values.length < count && Date.now() < end) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const values = peer.values;
    peer.values = [];
    return { values };
  },

  // Takes a subscription over that another session has left.
  async transfer({ id }) {
    const answer = await peer.session.transferSubscriptions({
      subscriptionIds: [id],
      sendInitialValues: true,
    });
    return {
      status: answer.results[0].statusCode.name,
      available: answer.results[0].availableSequenceNumbers,
    };
  },

  async call() {
    const result = await peer.session.call({
      objectId: "i=2253",
      methodId: "i=11492",
      inputArguments: [{ dataType: opcua.DataType.UInt32, value: 1 }],
    });
    return { status: result.statusCode.name };
  },
};

(async () => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const { do: action, ...parameters } = JSON.parse(line);
    let result;
    try {
      result = await commands[action](parameters);
    } catch (error) {
      result = { error: String(error.message).split("\n")[0] };
    }
    answer(JSON.stringify(result) + "\n");
  }
  process.exit(0);
})();
