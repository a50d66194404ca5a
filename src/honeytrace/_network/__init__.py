"""How a server is reached. A leaf room: it knows neither recording nor an HTTP library.

server_url     checks the URL and the key of a server
proxies        decides by the environment between a proxy and the direct way
certificates   builds the TLS context, with the environment's certificates
streamed       a request body in chunks
"""
