// The health check of the first member: makes the replica set, adds members that MEMBERS names and that are missing, one
// at a time, and the exporter's user, and fails while there is no primary or a member does not answer.
const fs = require('fs');

const members = process.env.MEMBERS.split(' ').map((name) => `${name}:27017`);
const password = fs.readFileSync('/run/secrets/mongodb_root_password', 'utf8').trim();
const admin = db.getSiblingDB('admin');
admin.auth('root', password);

let status;
try {
  status = rs.status();
} catch (error) {
  if (error.codeName !== 'NotYetInitialized') throw error;
  rs.initiate({ _id: 'parley', members: [{ _id: 0, host: members[0] }] });
  quit(1);
}
const known = status.members.map(({ name }) => name);
const missing = members.find((name) => !known.includes(name));
const hello = db.hello();
// Only the primary may add; any member may be it.
if (missing && hello.isWritablePrimary) rs.add(missing);
// What the exporter's makers ask for; by `local` it could read the oplog, and there what is written. Not in users.js, which runs
// only where there is no data yet.
const exporterFile = '/run/secrets/mongodb_exporter_password';
if (hello.isWritablePrimary && fs.existsSync(exporterFile) && !admin.getUser('exporter'))
  admin.createUser({
    user: 'exporter',
    pwd: fs.readFileSync(exporterFile, 'utf8').trim(),
    roles: [
      { role: 'clusterMonitor', db: 'admin' },
      { role: 'read', db: 'local' },
    ],
  });
const isWhole =
  !missing && status.members.every(({ stateStr }) => ['PRIMARY', 'SECONDARY'].includes(stateStr));
quit(isWhole && hello.primary ? 0 : 1);
