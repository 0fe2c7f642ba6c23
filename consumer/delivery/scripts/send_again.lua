-- Sends entries again that would never be handed out: delivered or passed over, but pending with nobody. Somebody has
-- acknowledged them by hand, read them with NOACK, or set the group ahead. ARGV: group, cursor ('-' = from the first)
-- -> next cursor ('' = all looked at), how many were sent again
-- What is asked for lies between two pending entries: those themselves, of whatever size, are not touched.
local LOOKED_AT = 200

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
end

local delivered, sent, from = last_delivered(), 0, ARGV[2]
if not delivered then return {'', 0} end

local function resend_up_to(last)
  while sent < LOOKED_AT do
    local entry = redis.call('XRANGE', KEYS[1], from, last, 'COUNT', 1)[1]
    if not entry then return true end
    redis.call('XADD', KEYS[1], '*', unpack(entry[2], 1, math.min(#entry[2], MOST_TEXTS)))
    redis.call('XDEL', KEYS[1], entry[1])
    sent = sent + 1
  end
  return false
end

local rows = redis.call('XPENDING', KEYS[1], GROUP, from, '+', LOOKED_AT)
for _, row in ipairs(rows) do
  if is_later(row[1], delivered) then break end
  if not resend_up_to('(' .. row[1]) then return {from, sent} end
  from = '(' .. row[1]
end
if #rows == LOOKED_AT and from == '(' .. rows[#rows][1] then return {from, sent} end
return {resend_up_to(delivered) and '' or from, sent}
