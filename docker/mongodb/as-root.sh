# Runs mongosh, mongodump or mongorestore as root at the member that it is called in, encrypted where that member demands it:
#   docker compose -f docker/compose.yml exec mongodb sh /parley/as-root.sh mongosh --eval 'rs.status()'
# What follows the program's name is passed on.
set -eu

program=${1-}
case $program in
  mongosh) tls='--tls --tlsCAFile=/run/secrets/ca --tlsCertificateKeyFile=/tmp/server.pem' ;;
  mongodump | mongorestore) tls='--ssl --sslCAFile=/run/secrets/ca --sslPEMKeyFile=/tmp/server.pem' ;;
  *)
    echo 'as-root.sh mongosh|mongodump|mongorestore [OPTION]...' >&2
    exit 2
    ;;
esac
shift
# What compose.tls.yml starts the member with. It is a client's certificate as well, and without one nobody is let in.
[ -e /tmp/server.pem ] || tls=

password=$(cat /run/secrets/mongodb_root_password)
# This name stands in the certificate.
# shellcheck disable=SC2086 # several options, or none
exec "$program" $tls --host=localhost --username=root --authenticationDatabase=admin \
  --password="$password" "$@"
