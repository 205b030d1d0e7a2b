# Who talks to a host and to whom it talks, for doctor and `istio-vm impact` (cli/): facts, a line each. Nothing is changed.
# What stands behind `socket` is a line of ss, read by diagnosis/sockets.ts.
# shellcheck shell=sh

# For impact alone: what inspect tells of it, and nothing that costs.
impact() {
  echo "epoch $(date +%s.%N)"
  [ ! -d "$RECORD" ] || echo "owner $(cat "$RECORD/owner")"
  containers
  sockets
}

# The TCP sockets of the host's own network, of containers only such as share it: those that listen, and open connections.
sockets() {
  local said
  [ -z "$SSH_PORT" ] || echo "ssh-port $SSH_PORT"
  if said=$({ ss -Htlnp && ss -Htnp; } 2>&1); then
    printf '%s\n' "$said" | sed 's/^/socket /'
  else
    echo "no-sockets $(printf '%s\n' "${said:-ss failed without a word}" | tail -n 1)"
  fi
}
