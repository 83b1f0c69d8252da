"""`python -m chainpay.deploy.healthy`: the container's probe, which ends with 0 when /healthz is answered here."""

import http.client
import os
import sys


def main(port: int = 8003) -> int:
    """Asks under the first name of ALLOWED_HOSTS, for another one would be refused."""
    name = os.environ.get("ALLOWED_HOSTS", "").split(",")[0].strip().lstrip(".")
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=3)
    try:
        connection.request("GET", "/healthz", headers={"Host": name if name not in ("", "*") else "localhost"})
        return int(connection.getresponse().status != 200)
    except (OSError, http.client.HTTPException) as error:
        print(f"No answer: {error}", file=sys.stderr)
        return 1
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(main())
