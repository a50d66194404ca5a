from viewer_fixtures import chromium, http, page, url

__all__ = ["chromium", "http", "page", "url"]
