-- Puts a client's object into the store, and answers the client; a refusal is a problem document.
--
-- The store answers a PUT that it refuses after the first kilobytes, and closes without reading the rest. HAProxy as a
-- proxy would lose that answer in one case of three (its send has failed, so it reads no more), and a client that still
-- sends would get a reset instead of an answer. So each PUT has its own connection to the store, the client's body is
-- always read to its end, and when the store's answer was lost the request is sent once more with the first bytes only:
-- the store refuses these again, or it was no refusal.

local CHUNK_BYTES = 16384
local DOCUMENT_BYTES_MAX = 8192 -- of the store's error document
local DRAINED_BYTES_MAX = 2 * @OBJECT_BYTES_MAX@
local BODY_SECONDS, STORE_SECONDS, AGAIN_SECONDS = @BODY_SECONDS@, @STORE_SECONDS@, @AGAIN_SECONDS@

-- Refusals by name: status, fields, body with @ID@ in place of the request's id.
local REFUSALS = {
@REFUSALS@
}
local OF_STATUS = {
    [404] = "NOT_FOUND", [412] = "ADDRESS_USED", [413] = "TOO_LARGE", [503] = "OVERLOADED", [507] = "STORAGE_FULL",
}
local OF_CODE = { EntityTooLarge = "TOO_LARGE", QuotaExceeded = "STORAGE_FULL" }

local function set(...)
    local found = {}
    for _, name in ipairs({...}) do found[name] = true end
    return found
end

-- Hop-by-hop fields, and the store's own fields, which the client does not get.
local HOP = set("connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "expect")
local OF_STORE = set("server", "content-length", "x-amz-request-id", "x-amz-id-2")

local function refusal_of(status, said)
    local code = said:match("<Code>(%w+)</Code>")
    if OF_CODE[code] then return OF_CODE[code] end
    if status == 403 then return said:find("<Expires>", 1, true) and "ADDRESS_EXPIRED" or "ADDRESS_REFUSED" end
    return OF_STATUS[status] or (status < 500 and "INVALID" or "BAD_GATEWAY")
end

local function refuse(applet, word)
    local known = REFUSALS[word]
    local body = known.body:gsub("@ID@", applet:get_var("txn.id"))
    applet:set_status(known.status)
    for name, value in pairs(known.fields) do applet:add_header(name, value) end
    applet:add_header("Content-Type", "application/problem+json")
    applet:add_header("Cache-Control", "no-store")
    applet:add_header("Content-Length", tostring(#body))
    applet:start_response()
    if applet.method ~= "HEAD" then applet:send(body) end
end

-- Read the rest of the client's body and pass each chunk to `take`. Returns the number of bytes, and whether they arrived
-- in time.
local function each_chunk(applet, take)
    local began, count = core.now().sec, 0
    while true do
        local chunk = applet:receive(CHUNK_BYTES)
        if not chunk or chunk == "" then return count, true end
        count = count + #chunk
        take(chunk)
        if count > DRAINED_BYTES_MAX then return count, true end
        if core.now().sec - began > BODY_SECONDS then return count, false end
    end
end

local function head_of(applet)
    local target = applet.qs ~= "" and applet.path .. "?" .. applet.qs or applet.path
    local lines = { applet.method .. " " .. target .. " HTTP/1.1" }
    for name, values in pairs(applet.headers) do
        if not HOP[name] then
            for index = 0, #values do lines[#lines + 1] = name .. ": " .. values[index] end
        end
    end
    lines[#lines + 1] = "connection: close\r\n\r\n"
    return table.concat(lines, "\r\n")
end

local function connected(seconds)
    local wire = core.tcp()
    wire:settimeout(seconds)
    return wire:connect(core.backends["objects"].servers["objects"]:get_addr()) and wire or nil
end

-- The head of the store's answer; nil when it closed the connection or did not answer in time.
local function answer_of(wire)
    local line = wire:receive("*l")
    local status = tonumber((line or ""):match("^HTTP/1%.%d (%d%d%d)"))
    local fields, length = {}, 0
    while status do
        line = wire:receive("*l")
        if not line then return nil end
        if line == "" then return { status = status, fields = fields, length = length } end
        local name, value = line:match("^([^:]+):%s*(.-)%s*$")
        if name then
            name = name:lower()
            fields[#fields + 1] = { name, value }
            if name == "content-length" then length = tonumber(value) or 0 end
        end
    end
end

local function accept(applet, answer)
    applet:set_status(answer.status)
    for _, field in ipairs(answer.fields) do
        local name, value = field[1], field[2]
        if not HOP[name] and not OF_STORE[name] and not name:find("^access%-control%-") then
            applet:add_header(name, value)
        end
    end
    applet:add_header("Content-Length", "0")
    applet:start_response()
end

local function put(applet)
    local wire = connected(STORE_SECONDS)
    if not wire then
        each_chunk(applet, function() end)
        return refuse(applet, "UNAVAILABLE")
    end
    local head, first, expected = head_of(applet), "", tonumber(applet.headers["content-length"][0])
    local open = wire:send(head)
    local count, in_time = each_chunk(applet, function(chunk)
        if first == "" then first = chunk end
        open = open and wire:send(chunk)
    end)
    if not in_time or count < expected then
        wire:close()
        return refuse(applet, "SLOW")
    end
    local asked = core.now().sec
    local answer = answer_of(wire)
    local late = not answer and core.now().sec - asked >= STORE_SECONDS
    if not answer and not late and count > 0 then
        wire:close()
        wire = connected(AGAIN_SECONDS)
        if not wire then return refuse(applet, "UNAVAILABLE") end
        wire:send(head .. first)
        answer = answer_of(wire)
    end
    if not answer then
        refuse(applet, late and "DEADLINE_EXCEEDED" or "BAD_GATEWAY")
    elseif answer.status < 400 then
        accept(applet, answer)
    else
        local length = math.min(answer.length, DOCUMENT_BYTES_MAX)
        refuse(applet, refusal_of(answer.status, length > 0 and wire:receive(length) or ""))
    end
    wire:close()
end

core.register_service("put", "http", put)
for word in pairs(REFUSALS) do
    core.register_service(word, "http", function(applet)
        each_chunk(applet, function() end)
        refuse(applet, word)
    end)
end
