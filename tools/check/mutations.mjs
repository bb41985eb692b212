// Whether the comparison of arrows would notice: every network policy is spoiled in every way that matters, one at a time, and
// what nobody complains of is a finding.

/** `check` finds nothing in `objects`; a text for each change of a policy after which it still finds nothing. */
export function unnoticed(objects, check) {
  return objects.flatMap((object, index) => {
    if (object.kind !== 'NetworkPolicy' || isOfServer(object)) return [];
    return spoiled(object)
      .filter(({ policies }) => check(objects.toSpliced(index, 1, ...policies)).length === 0)
      .map(({ how }) => `NetworkPolicy ${object.metadata.name}: nobody would notice that ${how}`);
  });
}

/** Those that the arrows are not compared for: the servers' own, and what forbids all the rest. */
function isOfServer({ metadata, spec }) {
  return (
    metadata.name === 'nothing-else' ||
    ['postgres', 'mongodb', 'redis', 'rabbitmq'].includes(
      spec.podSelector.matchLabels['app.kubernetes.io/name'],
    )
  );
}

function spoiled(policy) {
  const changed = (how, change) => {
    const copy = structuredClone(policy);
    change(copy.spec);
    return { how, policies: [copy] };
  };
  const rules = [
    ['ingress', 'from'],
    ['egress', 'to'],
  ].flatMap(([direction, side]) =>
    (policy.spec[direction] ?? []).flatMap((rule, at) => {
      const of = (spec) => spec[direction][at];
      const where = `${direction} ${at}`;
      return [
        changed(`${where} is gone`, (spec) => spec[direction].splice(at, 1)),
        changed(`${where} names no ports`, (spec) => delete of(spec).ports),
        changed(`${where} is of another protocol`, (spec) => (of(spec).ports[0].protocol = 'SCTP')),
        ...rule.ports.map((_, port) =>
          changed(`${where} has another port ${port}`, (spec) => (of(spec).ports[port].port = 9)),
        ),
        ...(rule[side] ?? []).flatMap((_, peer) => [
          changed(`${where} has another peer ${peer}`, (spec) => {
            of(spec)[side][peer] = { podSelector: { matchLabels: { 'app.kubernetes.io/name': 'stranger' } } };
          }),
          changed(`${where} asks for more of peer ${peer}`, (spec) => {
            of(spec)[side][peer] = { podSelector: { matchExpressions: [{ key: 'x', operator: 'Exists' }] } };
          }),
        ]),
        ...(rule[side] ? [changed(`${where} is for everybody`, (spec) => delete of(spec)[side])] : []),
      ];
    }),
  );
  const extra = { ...structuredClone(policy), metadata: { name: 'another' } };
  extra.spec.ingress = extra.spec.egress = [{}];
  extra.spec.policyTypes = ['Ingress', 'Egress'];
  return [
    ...rules,
    { how: 'it is gone', policies: [] },
    { how: 'another one opens its pods', policies: [policy, extra] },
  ];
}
