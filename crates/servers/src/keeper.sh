# Runs a server until nobody has needed it for a while, and takes everything with it then.
# Arguments: the folder, how many looks without a user end it, the signal that does, and the server with its arguments.
# Whoever uses the server holds a shared lock on the file `used`.
folder=$1
patience=$2
end=$3
shift 3
"$@" >"$folder/log" 2>&1 &
server=$!
unused=0
while kill -0 "$server" 2>/dev/null && [ "$unused" -lt "$patience" ]; do
  sleep 1
  if flock --exclusive --nonblock "$folder/used" true; then
    unused=$((unused + 1))
  else
    unused=0
  fi
done
# Nobody may begin to use it while it goes.
exec 9>>"$folder/used"
flock --exclusive 9
rm -f "$folder/ready"
kill -s "$end" "$server" 2>/dev/null
wait "$server"
rm -rf "$folder/data" "$folder/socket" "$folder/temporary"
