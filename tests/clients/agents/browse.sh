# Load a page with Chromium as it comes, with the gate's CA in its own store, and stay until the page says that it is done.
set -e
store="sql:$HOME/.pki/nssdb"
mkdir -p "$HOME/.pki/nssdb"
certutil -d "$store" -N --empty-password
certutil -d "$store" -A -t C,, -n outgate -i "$NODE_EXTRA_CA_CERTS"
python -c 'import httpx; httpx.Client(http1=False, http2=True).get("https://modern.test/plain")'
quiet="--disable-gpu --disable-dev-shm-usage --no-first-run --disable-background-networking --disable-component-update --disable-sync"
chromium --headless --no-sandbox $quiet --proxy-server="$HTTPS_PROXY" https://modern.test/page > /dev/null 2> chromium.log &
curl -sS --max-time 60 'https://modern.test/freed?stream=page' || cat chromium.log >&2
kill $!
