"""The way to a server: this room knows neither recording nor an HTTP library.

server_url     checks the URL and the key of a server
proxies        chooses the proxy, or the direct way, from the environment
certificates   builds the TLS context from the environment's certificates
retry_after    reads the Retry-After header
streamed       a request body in chunks
"""
