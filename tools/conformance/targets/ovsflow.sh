# Target adapter: ovsflow, from this checkout.
ovsflow_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
ovsflow_python=$ovsflow_root/.venv/bin/python
target_start() {
    local p args=() target
    for p in $TGT_PORTS; do args+=(--port "${p#*=}=${p%%=*}"); done
    for target in $TGT_CONTROLLER; do args+=(--controller "$target"); done
    [ -n "${TGT_LISTEN:-}" ] && args+=(--listen "$TGT_LISTEN")
    OVSFLOW_RUNDIR="$TGT_DIR" setsid "$ovsflow_python" -m ovsflow run --bridge "$TGT_NAME" \
        --dpid "$TGT_DPID" --protocols "$TGT_VERSIONS" --fail-mode "$TGT_FAIL_MODE" \
        --max-backoff 1 "${args[@]}" </dev/null >"$TGT_DIR/ovsflow.log" 2>&1 &
    echo $! >"$TGT_DIR/switch.pid"
    for _ in $(seq 200); do
        [ -S "$TGT_DIR/$TGT_NAME.mgmt" ] && return 0
        kill -0 "$(cat "$TGT_DIR/switch.pid")" 2>/dev/null || return 1
        sleep 0.05
    done
    return 1
}
target_stop() { [ -f "$TGT_DIR/switch.pid" ] && h_end "$(cat "$TGT_DIR/switch.pid")"; }
target_mgmt() { echo "unix:$TGT_DIR/$TGT_NAME.mgmt"; }
target_version() { "$ovsflow_python" -m ovsflow --version; }
target_logs() { tail -n "${1:-40}" "$TGT_DIR/ovsflow.log"; }
