-- Sends entries again that would never be handed out: delivered or passed over, but pending with nobody. Somebody has
-- acknowledged them by hand, read them with NOACK, or set the group ahead. ARGV: group, cursor ('-' = from the first)
-- -> next cursor ('' = all looked at), how many were sent again
local function parts(id)
  local ms, seq = id:match('^(%d+)%-(%d+)$')
  return tonumber(ms), tonumber(seq)
end

local function is_later(id, than)
  local ms, seq = parts(id)
  local than_ms, than_seq = parts(than)
  return ms > than_ms or (ms == than_ms and seq > than_seq)
end

local function last_delivered()
  local groups = redis.pcall('XINFO', 'GROUPS', KEYS[1])
  for _, row in ipairs(groups.err and {} or groups) do
    local info = {}
    for i = 1, #row, 2 do info[row[i]] = row[i + 1] end
    if info.name == GROUP then return info['last-delivered-id'] end
  end
  return '0-0'
end

local delivered, sent = last_delivered(), 0
local entries = redis.call('XRANGE', KEYS[1], ARGV[2], '+', 'COUNT', 200)
for _, entry in ipairs(entries) do
  local id, fields = entry[1], entry[2]
  if is_later(id, delivered) then return {'', sent} end
  if #redis.call('XPENDING', KEYS[1], GROUP, id, id, 1) == 0 then
    redis.call('XADD', KEYS[1], '*', unpack(fields, 1, math.min(#fields, MOST_TEXTS)))
    redis.call('XDEL', KEYS[1], id)
    sent = sent + 1
  end
end
return {#entries == 200 and '(' .. entries[200][1] or '', sent}
