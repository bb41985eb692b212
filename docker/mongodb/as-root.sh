# Runs a program of MongoDB's as root, encrypted where the member that it is called in demands it. mongosh speaks with that
# member; mongodump and mongorestore with the primary, which any member may be:
#   docker compose -f docker/compose.yml exec mongodb sh /parley/as-root.sh mongosh --eval 'rs.status()'
# What follows the program's name is passed on. Root's password is in no command line, which other processes could read.
set -eu

secret=/run/secrets/mongodb_root_password
# What compose.tls.yml starts the member with. It is a client's certificate as well, and without one nobody is let in.
certificate=/tmp/server.pem
program=${1-}
case $program in
  mongosh) tls="--tls --tlsCAFile=/run/secrets/ca --tlsCertificateKeyFile=$certificate" ;;
  mongodump | mongorestore) tls="--ssl --sslCAFile=/run/secrets/ca --sslPEMKeyFile=$certificate" ;;
  *)
    echo 'as-root.sh mongosh|mongodump|mongorestore [OPTION]...' >&2
    exit 2
    ;;
esac
shift
[ -e "$certificate" ] || tls=
password=$(cat "$secret")

# localhost stands in the certificate, and whichever member it is names the others.
if [ "$program" = mongosh ]; then
  # It logs in by itself before it runs anything else; with nothing else to run it stays for whoever types.
  login="void db.getSiblingDB('admin').auth('root', require('fs').readFileSync('$secret', 'utf8').trim())"
  stay=--shell
  for option; do
    case $option in --eval | --eval=* | --file | --file=* | -f | *.js | *.mongodb) stay= ;; esac
  done
  # shellcheck disable=SC2086 # several options, or none
  exec mongosh $tls $stay --host=localhost --eval="$login" "$@"
fi

# The tools take it from a file, and this one is a pipe: their input and output are the archive's. Quotes are doubled in YAML.
password=$(printf %s "$password" | sed "s/'/''/g")
# shellcheck disable=SC2086 # several options, or none
exec "$program" $tls --host=parley/localhost --username=root --authenticationDatabase=admin \
  --config=/dev/fd/3 "$@" 3<<CONFIG
password: '$password'
CONFIG
