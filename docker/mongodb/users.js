// Run by the image once, before its first start: the user of the apps, who owns their database and nothing else, and what
// root needs besides to restore a dump with its oplog.
const fs = require('fs');

db.getSiblingDB('parley').createUser({
  user: 'parley',
  pwd: fs.readFileSync('/run/secrets/mongodb_password', 'utf8').trim(),
  roles: [{ role: 'dbOwner', db: 'parley' }],
});

const admin = db.getSiblingDB('admin');
admin.createRole({
  role: 'restoring',
  privileges: [{ resource: { anyResource: true }, actions: ['anyAction'] }],
  roles: [],
});
admin.grantRolesToUser('root', ['restoring']);
