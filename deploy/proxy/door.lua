-- Who tries passwords too often, who may change things, and what was changed: what nginx has no directives for.
-- nginx.conf calls these by name; dictionaries are shared by all workers.
local cjson = require "cjson.safe"

local M = {}

local MAX_OF_ADDRESS, ADDRESS_WINDOW_S = 10, 300 -- failed logins
local MAX_OF_ALL, ALL_WINDOW_S = 100, 60
local MARK_S = 12 * 3600
local MAX_NAMES, MAX_DEPTH = 20, 40
local TOLD = { -- variables of a mutation that name what it was about
    runId = true, parentRunId = true, runIds = true, backfillId = true, jobName = true, pipelineName = true,
    sensorName = true, scheduleName = true, repositoryLocationName = true, partitionSetName = true,
}

local function words(name)
    local found = {}
    for word in (os.getenv(name) or ""):gmatch("[^,%s]+") do found[word] = true end
    return found
end

-- read by the master process, which still has the environment
local operators, operator_groups = words "PROXY_OPERATORS", words "PROXY_OPERATOR_GROUPS"
local viewers, viewer_groups = words "PROXY_VIEWERS", words "PROXY_VIEWER_GROUPS"
local everybody_views = next(viewers) == nil and next(viewer_groups) == nil

local random = assert(io.open("/dev/urandom", "rb"))
local secret = random:read(32) -- of this start; workers are its children
random:close()

-- --- failed logins

local function address()
    local bytes = ngx.var.binary_remote_addr
    return "a" .. (#bytes == 16 and bytes:sub(1, 8) or bytes) -- a subscriber has a /64 of IPv6
end

-- Whoever has logged in gets a mark for the very name and password that were right, so that others who guess from the same
-- address (a router, a gateway of Docker) do not keep him out. It replaces no password.
local function mark(credentials, ends)
    return ends .. "." .. ngx.encode_base64(ngx.hmac_sha1(secret, ends .. " " .. credentials), true):gsub("[+/]", "-")
end

local function has_mark(credentials)
    local given = ngx.var.cookie_doc_assets_door or ""
    local ends = tonumber(given:match "^(%d+)%.")
    return ends ~= nil and ends > ngx.time() and given == mark(credentials, ends)
end

local function too_many(key)
    ngx.header["Retry-After"] = math.max(1, math.ceil(ngx.shared.failed_logins:ttl(key) or 1))
    return ngx.exit(429)
end

-- Wrong keys of the document API are counted when it has answered: clients ask side by side with the right one.
local function check_key()
    local key = "k" .. address()
    if (ngx.shared.failed_logins:get(key) or 0) >= MAX_OF_ADDRESS then return too_many(key) end
end

-- A try is counted before the password is looked at and taken off when it was right, so that tries side by side count too.
function M.arrive()
    if ngx.is_subrequest then return end
    -- The question to the login service sets the variables of the server anew, for this request too.
    ngx.ctx.needs, ngx.ctx.is_graphql, ngx.ctx.what = ngx.var.needs, ngx.var.is_graphql == "1", ngx.var.what
    if ngx.ctx.needs == "key" then return check_key() end
    local credentials = ngx.var.http_authorization
    if not credentials or has_mark(credentials) then return end
    local failed, key = ngx.shared.failed_logins, address()
    local of_address = failed:incr(key, 1, 0, ADDRESS_WINDOW_S) or math.huge
    local of_all = failed:incr("all", 1, 0, ALL_WINDOW_S) or math.huge
    ngx.ctx.counted = key
    if of_address <= MAX_OF_ADDRESS and of_all <= MAX_OF_ALL then return end
    M.forget_try()
    return too_many(of_address > MAX_OF_ADDRESS and key or "all")
end

function M.forget_try()
    local key = ngx.ctx.counted
    if not key then return end
    ngx.ctx.counted = nil
    ngx.shared.failed_logins:incr(key, -1)
    ngx.shared.failed_logins:incr("all", -1)
end

-- At the end of a request: one may have been answered before its password was looked at.
function M.settle_try()
    if ngx.status ~= 401 then
        M.forget_try()
    elseif ngx.ctx.needs == "key" and ngx.var.http_x_api_key then
        ngx.shared.failed_logins:incr("k" .. address(), 1, 0, ADDRESS_WINDOW_S)
    end
end

-- --- what a GraphQL request changes

-- Names of the root fields of every mutation in a document. Its text cannot hide the word: keywords have no escapes.
local function mutations(text)
    text = text:gsub('""".-"""', '""'):gsub('"[^"\n]*"', '""'):gsub("#[^\n\r]*", " ")
    local names, depth, round, inside, previous = {}, 0, 0, false, ""
    local position = 1
    while position <= #text do
        local token = text:match("^[%w_]+", position) or text:sub(position, position)
        if token == "(" then round = round + 1
        elseif token == ")" then round = round - 1
        elseif round == 0 and token == "{" then depth = depth + 1
        elseif round == 0 and token == "}" then
            depth = depth - 1
            if depth == 0 then inside = false end
        elseif depth == 0 and token == "mutation" then inside = true
        elseif inside and depth == 1 and round == 0 and token:match "^[%a_]" and previous ~= "@" then
            local is_alias = text:match("^%s*:", position + #token)
            if not is_alias and #names < MAX_NAMES then names[#names + 1] = token:sub(1, 60) end
        end
        if not token:match "^%s$" then previous = token end
        position = position + #token
    end
    return names
end

local function told(value, into, depth)
    if type(value) ~= "table" or depth > MAX_DEPTH then return end
    for name, entry in pairs(value) do
        if TOLD[name] and #into < MAX_NAMES then
            local shown = type(entry) == "table" and (cjson.encode(entry) or "?") or tostring(entry)
            into[#into + 1] = name .. "=" .. shown:sub(1, 80)
        elseif type(entry) == "table" then
            told(entry, into, depth + 1)
        end
    end
end

local function body()
    ngx.req.read_body()
    local content, path = ngx.req.get_body_data(), ngx.req.get_body_file()
    if not content and path then
        local file = io.open(path, "rb")
        content = file and file:read "*a"
        if file then file:close() end
    end
    return content
end

-- Notes in $what what a request to /graphql changes; "(query)" is nothing. What cannot be read is refused.
local function note_change()
    if ngx.req.get_method() ~= "POST" then return end
    local given = cjson.decode(body() or "")
    if type(given) ~= "table" or type(given.query) ~= "string" then return ngx.exit(400) end
    if not given.query:find "mutation" then
        ngx.var.what = "(query)"
        return
    end
    local variables = given.variables
    if type(variables) == "string" then variables = cjson.decode(variables) end
    local parts = mutations(given.query)
    if #parts == 0 then parts[1] = "mutation" end
    local about = {}
    told(variables, about, 0)
    table.sort(about)
    ngx.var.what = table.concat(parts, ",") .. (#about > 0 and " " .. table.concat(about, " ") or "")
end

-- --- who may come in

-- After the login: basic authentication has looked into the file of the place, so who comes here may.
function M.enter_basic()
    M.forget_try()
    local credentials = ngx.var.http_authorization
    if credentials and ngx.var.remote_user and not has_mark(credentials) then
        local cookie = "doc_assets_door=" .. mark(credentials, ngx.time() + MARK_S)
        ngx.header["Set-Cookie"] = cookie .. "; Path=/; Max-Age=" .. MARK_S .. "; Secure; HttpOnly; SameSite=Strict"
    end
    ngx.var.who = ngx.var.remote_user or ""
    if ngx.ctx.is_graphql then note_change() end
end

local function is_one(user, groups, users, wanted)
    if users[user] then return true end
    for group in groups:gmatch "[^,]+" do
        if wanted[group:match "^%s*(.-)%s*$"] then return true end
    end
    return false
end

-- The same with another service that says who somebody is; what a client says about itself is not looked at.
function M.enter_forward()
    M.forget_try()
    local needs = ngx.ctx.needs
    ngx.var.what = ngx.ctx.what
    if needs == "none" or needs == "key" then return end
    local user, groups = ngx.var.auth_user or "", ngx.var.auth_groups or ""
    ngx.var.who = user
    if needs == "name" and user ~= "" then return end
    local is_operator = user ~= "" and is_one(user, groups, operators, operator_groups)
    local is_viewer = is_operator or (user ~= "" and (everybody_views or is_one(user, groups, viewers, viewer_groups)))
    if not (needs == "viewer" and is_viewer or is_operator) then
        ngx.var.what = "refused: " .. (user == "" and "no user named" or "no " .. needs)
        return ngx.exit(403)
    end
    if ngx.ctx.is_graphql then note_change() end
end

return M
