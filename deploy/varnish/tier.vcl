# One tier of the CDN. The edge fetches from the shield, the shield from the object store; both use this file, in which
# stack/backing/varnish.py replaces the names between @. The content of an address never changes, so a cached object is
# valid until its photo is deleted: then the stack purges it.
vcl 4.1;

backend upstream {
    .host = "@HOST@";
    .port = "@PORT@";
    .connect_timeout = 1s;
    .first_byte_timeout = 10s;
    .between_bytes_timeout = 5s;
    .max_connections = 200;
}

sub vcl_recv {
    if (req.url == "/healthz") {
        return (synth(200, "OK"));
    }
    # a client's query and credentials must neither split the cache nor reach the store
    set req.url = regsub(req.url, "\?.*$", "");
    unset req.http.Cookie;
    unset req.http.Authorization;
    unset req.http.X-Cache;
    unset req.http.X-Cache-Tier;
    if (req.url !~ "^/media/[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*$" || req.url ~ "/\.\.?(/|$)") {
        return (synth(404));
    }
    set req.http.Host = "@HOST@:@PORT@";
    # by a key, not by a list of addresses: on one machine all clients have the same one
    if (req.method == "PURGE" && req.http.X-Purge-Key == "@PURGE_KEY@") {
        return (purge);
    }
    if (req.method != "GET" && req.method != "HEAD") {
        return (synth(405));
    }
    unset req.http.X-Purge-Key;
    return (hash);
}

sub vcl_backend_response {
    unset beresp.http.Set-Cookie;
    unset beresp.http.Server;
    unset beresp.http.x-amz-request-id;
    unset beresp.http.x-amz-id-2;
    if (beresp.status >= 500) {
        # stale-if-error: keep the cached object when a refresh failed
        if (bereq.is_bgfetch) {
            return (abandon);
        }
        set beresp.uncacheable = true;
        set beresp.ttl = 0s;
        return (deliver);
    }
    if (beresp.status != 200 && beresp.status != 304) {
        # it may not exist yet: a variant's name is known before it is rendered
        set beresp.ttl = 1s;
        set beresp.grace = 0s;
        return (deliver);
    }
    if (beresp.ttl > @TTL@s) {
        set beresp.ttl = @TTL@s;
    }
    set beresp.grace = 24h;
}

sub vcl_deliver {
    # the store's own errors are XML for S3 clients
    if (resp.status >= 500 && resp.http.Content-Type != "application/problem+json") {
        return (synth(503));
    }
    if (resp.status >= 400 && resp.status != 416 && resp.http.Content-Type != "application/problem+json") {
        return (synth(404));
    }
    unset resp.http.Via;
    unset resp.http.X-Varnish;
    if (obj.hits > 0) {
        set resp.http.X-Cache = "HIT";
        set resp.http.X-Cache-Tier = "@TIER@";
    } else {
        set resp.http.X-Cache = "MISS";
        if (!resp.http.X-Cache-Tier) {
            set resp.http.X-Cache-Tier = "origin";
        }
    }
    set resp.http.Access-Control-Allow-Origin = "*";
    set resp.http.X-Content-Type-Options = "nosniff";
}

sub vcl_synth {
    if (resp.status == 200) {
        set resp.http.Content-Type = "text/plain";
        synthetic("ok");
        return (deliver);
    }
    set resp.http.Content-Type = "application/problem+json";
    set resp.http.Cache-Control = "no-store";
    set resp.http.X-Request-Id = req.xid;
    set resp.http.X-Content-Type-Options = "nosniff";
    set resp.http.Access-Control-Allow-Origin = "*";
    if (resp.status == 405) {
        set resp.http.Allow = "GET, HEAD";
        synthetic(@METHOD_NOT_ALLOWED@);
    } else if (resp.status == 503) {
        set resp.http.Retry-After = "1";
        synthetic(@UNAVAILABLE@);
    } else {
        set resp.status = 404;
        synthetic(@NOT_FOUND@);
    }
    return (deliver);
}

sub vcl_backend_error {
    set beresp.status = 503;
    set beresp.http.Content-Type = "application/problem+json";
    set beresp.http.Cache-Control = "no-store";
    set beresp.http.Retry-After = "1";
    set beresp.ttl = 0s;
    synthetic(@UNAVAILABLE_BEHIND@);
    return (deliver);
}
